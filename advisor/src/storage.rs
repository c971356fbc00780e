//! What the two files of the advisor have in common.

/// Makes each of redb's errors the variant `Storage` of an error type.
macro_rules! storage_errors {
    ($to:ident) => {
        $crate::storage::storage_errors!($to: DatabaseError TransactionError TableError StorageError CommitError);
    };
    ($to:ident: $($error:ident)+) => {
        $(impl From<redb::$error> for $to {
            fn from(error: redb::$error) -> $to {
                $to::Storage(Box::new(error.into()))
            }
        })+
    };
}
pub(crate) use storage_errors;
