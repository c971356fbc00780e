//! ipamd's data store: which address of which ENI belongs to which pod. Owned by "capacity-datastore".
