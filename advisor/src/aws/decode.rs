//! EC2's answers as [`inventory`](crate::inventory) values. Pure: bytes in, values out.

mod eni;
mod instance;
mod joining;
#[cfg(test)]
mod measure;
mod network;
mod offer;

use std::sync::Arc;

use headroom_capacity::time::Time;

use super::xml::{Malformed, Page, Xml};
use crate::inventory::Tags;

pub(super) use eni::{CLUSTER_TAG, CREATED_AT_TAG, NO_MANAGE_TAG, enis};
pub(super) use instance::{InstanceRow, instances};
pub(super) use joining::{
    CLUSTER_TAGS, default_routes, group_rules, images, machines, profile_role, user_data, vpc_attribute,
};
pub use network::SecurityGroup;
pub(super) use network::{endpoints, reservations, security_groups, subnets, vpc_cidrs};
pub(super) use offer::offers;

type Listing<T> = Result<Page<T>, Malformed>;

/// Gives `tag` each key and value of a `tagSet`.
fn each_tag<'a>(
    xml: &mut Xml<'a>,
    mut tag: impl FnMut(&str, std::borrow::Cow<'a, str>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    xml.items(|xml| {
        let (mut key, mut value) = (None, None);
        xml.each(|xml, name| {
            match name {
                "key" => key = Some(xml.text()?),
                "value" => value = Some(xml.text()?),
                _ => xml.skip()?,
            }
            Ok(())
        })?;
        tag(&key.ok_or(Malformed::Missing("tagSet.key"))?, value.unwrap_or_default())
    })
}

fn tags(xml: &mut Xml<'_>) -> Result<Tags, Malformed> {
    let mut tags = Tags::new();
    each_tag(xml, |key, value| {
        tags.insert(key.to_owned(), value.into_owned());
        Ok(())
    })?;
    Ok(tags)
}

fn flag(xml: &mut Xml<'_>, name: &'static str) -> Result<bool, Malformed> {
    xml.value(name)
}

fn name(xml: &mut Xml<'_>) -> Result<Arc<str>, Malformed> {
    Ok(Arc::from(&*xml.text()?))
}

/// A date of ISO 8601, as EC2 and ipamd write it; `None` for anything else and for times before 1970.
fn date(text: &str) -> Option<Time> {
    let date: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(date.as_millisecond()).ok().map(Time::from_millis)
}

/// A value that every row has.
fn need<T>(value: Option<T>, name: &'static str) -> Result<T, Malformed> {
    value.ok_or(Malformed::Missing(name))
}
