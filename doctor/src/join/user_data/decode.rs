//! base64 and gzip off.

use std::borrow::Cow;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::MultiGzDecoder;

/// Far more than any user data: EC2 takes 16 KB before base64 (EC2 user guide, "Run commands at launch").
const MOST_BYTES: u64 = 4 << 20;

/// Without base64 and gzip, as nodeadm and cloud-init take them off: each once, where it is there (amazon-eks-ami,
/// `nodeadm/internal/configprovider/userdata.go`). EC2 adds one base64 itself.
pub(super) fn plain(data: &[u8]) -> Cow<'_, [u8]> {
    let once = unzipped(unbased(data));
    match once {
        Cow::Owned(once) => Cow::Owned(unzipped(unbased(&once)).into_owned()),
        Cow::Borrowed(_) => once,
    }
}

/// A part of a multi-part message that says that it is base64.
pub(super) fn part(data: &[u8]) -> Cow<'_, [u8]> {
    unzipped(unbased(data))
}

/// Text of a script or a configuration; what is no UTF-8 in it matters to nobody.
pub(super) fn text(data: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(data)
}

fn unbased(data: &[u8]) -> Cow<'_, [u8]> {
    let dense: Vec<u8> = data.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    // The empty text is base64 of nothing, and a word of four letters is base64 too, but nobody's user data.
    match STANDARD.decode(&dense) {
        Ok(decoded) if !dense.is_empty() => Cow::Owned(decoded),
        _ => Cow::Borrowed(data),
    }
}

fn unzipped(data: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    if !data.starts_with(&[0x1f, 0x8b]) {
        return data;
    }
    let mut out = Vec::new();
    match MultiGzDecoder::new(&*data).take(MOST_BYTES).read_to_end(&mut out) {
        Ok(_) => Cow::Owned(out),
        Err(_) => data,
    }
}
