//! STS.

use std::time::Duration;

use headroom_capacity::time::Time;

use super::params::Params;
use super::query::Operation;
use super::xml::Map;
use crate::aws::{ApiError, Vpc, stamp};

/// AWS's bounds and default of `DurationSeconds`.
const SESSION_SECS: std::ops::RangeInclusive<u64> = 900..=43_200;
const DEFAULT_SESSION_SECS: u64 = 3600;

pub(super) fn operation(name: &str) -> Option<Operation> {
    match name {
        "GetCallerIdentity" => Some(get_caller_identity),
        "AssumeRoleWithWebIdentity" => Some(assume_role_with_web_identity),
        _ => None,
    }
}

fn get_caller_identity(vpc: &mut Vpc, _: &Params, _: Time) -> Result<Option<Map>, ApiError> {
    let account = &vpc.config.account;
    let answer = Map::new()
        .text("Arn", format!("arn:aws:sts::{account}:assumed-role/headroom/lab"))
        .text("UserId", "AROAHEADROOMLABROLE00:lab")
        .text("Account", account);
    Ok(Some(answer))
}

/// The web identity token is not checked beyond being there.
fn assume_role_with_web_identity(vpc: &mut Vpc, params: &Params, now: Time) -> Result<Option<Map>, ApiError> {
    let role = params.need("RoleArn")?;
    let session = params.need("RoleSessionName")?;
    params.need("WebIdentityToken")?;
    let secs = params.parsed::<u64>("DurationSeconds")?.unwrap_or(DEFAULT_SESSION_SECS);
    if !SESSION_SECS.contains(&secs) {
        return Err(params.malformed("DurationSeconds", &secs.to_string()));
    }
    let name = role.split_once(":role/").map(|(_, name)| name).ok_or_else(|| params.malformed("RoleArn", role))?;
    let key = vpc.rng.uuid().replace('-', "").to_uppercase();
    let credentials = Map::new()
        .text("AccessKeyId", format!("ASIA{key:.16}"))
        .text("SecretAccessKey", vpc.rng.uuid())
        .text("SessionToken", vpc.rng.uuid())
        .text("Expiration", stamp(now + Duration::from_secs(secs)));
    let user = Map::new()
        .text("AssumedRoleId", format!("AROAHEADROOMLABROLE00:{session}"))
        .text("Arn", format!("arn:aws:sts::{}:assumed-role/{name}/{session}", vpc.config.account));
    let answer = Map::new()
        .text("SubjectFromWebIdentityToken", "system:serviceaccount:kube-system:headroom")
        .text("Audience", "sts.amazonaws.com")
        .text("Provider", "lab")
        .put("AssumedRoleUser", user)
        .put("Credentials", credentials);
    Ok(Some(answer))
}
