//! Fields of an encoded protobuf message, one after another, without decoding what is not asked for.
//!
//! A pod is 2 to 10 KB, of which two fields count, and a request repeats each pod for each group that it would fit.

/// What is not a protobuf message: it ends within a field, or has a wire type that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 2: text, bytes or a message.
    Bytes(&'a [u8]),
    /// Wire types 1 and 5: nothing that is read here has them.
    Fixed,
}

/// The fields of a message.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Fields<'a> {
        Fields(message)
    }

    /// The number and value of the next field; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            // Groups, which proto2 gave up.
            _ => return Err(Malformed),
        };
        Ok(Some((key >> 3, value)))
    }

    /// The first field with this number.
    pub(super) fn first(mut self, number: u64) -> Result<Option<Value<'a>>, Malformed> {
        while let Some((found, value)) = self.next()? {
            if found == number {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Malformed> {
        // Nearly all of them.
        if let Some((first, rest)) = self.0.split_first().filter(|(first, _)| **first < 0x80) {
            self.0 = rest;
            return Ok(u64::from(*first));
        }
        let mut value = 0;
        for (at, byte) in self.0.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                self.0 = &self.0[at + 1..];
                return Ok(value);
            }
        }
        Err(Malformed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_in_their_order_and_the_end() {
        // 1: 150; 2: "abc"; 3: fixed 32 bits; 2047: 1.
        let bytes = [0x08, 0x96, 0x01, 0x12, 3, b'a', b'b', b'c', 0x1d, 0, 0, 0, 0, 0xf8, 0x7f, 1];
        let mut fields = Fields::of(&bytes);
        assert_eq!(fields.next(), Ok(Some((1, Value::Varint(150)))));
        assert_eq!(fields.next(), Ok(Some((2, Value::Bytes(b"abc")))));
        assert_eq!(fields.next(), Ok(Some((3, Value::Fixed))));
        assert_eq!(fields.next(), Ok(Some((2047, Value::Varint(1)))));
        assert_eq!(fields.next(), Ok(None));
        assert_eq!(Fields::of(&bytes).first(2), Ok(Some(Value::Bytes(b"abc"))));
        assert_eq!(Fields::of(&bytes).first(9), Ok(None));
    }

    #[test]
    fn what_ends_too_soon_is_malformed() {
        for bytes in [&[0x08][..], &[0x12, 3, b'a'], &[0x1d, 0], &[0x09, 0], &[0x0b], &[0xff; 11], &[0x12, 0xff, 0xff]]
        {
            assert_eq!(Fields::of(bytes).next(), Err(Malformed), "{bytes:x?}");
        }
    }

    proptest! {
        /// Whatever the bytes, the walk ends, and what it shows lies within them.
        #[test]
        fn any_bytes_are_walked_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut fields = Fields::of(&bytes);
            let mut shown = 0;
            while let Ok(Some((_, value))) = fields.next() {
                if let Value::Bytes(part) = value {
                    shown += part.len();
                }
            }
            prop_assert!(shown <= bytes.len());
        }
    }
}
