//! Multi-part user data, as far as cloud-init and nodeadm take it: RFC 2046, with base64 as the only transfer encoding that matters.

use super::decode;

/// Messages within messages that are looked into.
const DEPTH: u32 = 4;

/// Gives `each` the content of every part, or `data` itself where it is no multi-part message.
pub(super) fn each_part(data: &[u8], each: &mut impl FnMut(&[u8])) {
    walk(data, DEPTH, each);
}

fn walk(data: &[u8], depth: u32, each: &mut impl FnMut(&[u8])) {
    let text = decode::text(data);
    let Some((head, body)) = head_and_body(&text) else { return each(data) };
    if let Some(boundary) = boundary(&head)
        && depth > 0
    {
        for part in parts(body, &boundary) {
            walk(part.as_bytes(), depth - 1, each);
        }
        return;
    }
    if header(&head, "content-type").is_none() {
        return each(data);
    }
    let encoded = header(&head, "content-transfer-encoding").is_some_and(|name| name.eq_ignore_ascii_case("base64"));
    // nodeadm also takes base64 and gzip off that no header mentions (`mime.go`, `ParseMultipart`).
    let content = if encoded { decode::plain(body.as_bytes()) } else { decode::part(body.as_bytes()) };
    each(&content);
}

/// The header lines, unfolded, and what follows the empty line; `None` where the first line is no header.
fn head_and_body(text: &str) -> Option<(Vec<String>, &str)> {
    let (mut head, mut rest): (Vec<String>, &str) = (Vec::new(), text.trim_start_matches(['\r', '\n']));
    // A separator of YAML documents before the message (EKS user guide, "Private clusters").
    rest = rest.strip_prefix("---\n").unwrap_or(rest);
    loop {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let line = line.trim_end_matches('\r');
        if line.is_empty() {
            return (!head.is_empty()).then_some((head, after));
        }
        match head.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => last.push_str(line),
            _ if is_header(line) => head.push(line.to_owned()),
            _ => return None,
        }
        rest = after;
    }
}

fn is_header(line: &str) -> bool {
    let name = line.split_once(':').map_or("", |(name, _)| name).to_ascii_lowercase();
    name == "mime-version"
        || name.starts_with("content-")
        || ["number-attachments", "merge-type"].contains(&name.as_str())
}

fn header<'a>(head: &'a [String], name: &str) -> Option<&'a str> {
    head.iter().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn boundary(head: &[String]) -> Option<String> {
    let content_type =
        header(head, "content-type").filter(|value| value.to_ascii_lowercase().starts_with("multipart/"))?;
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (name.trim().eq_ignore_ascii_case("boundary") && !value.is_empty()).then(|| value.to_owned())
    })
}

/// What stands between the lines `--boundary` and up to `--boundary--`.
fn parts(body: &str, boundary: &str) -> Vec<String> {
    let (open, close) = (format!("--{boundary}"), format!("--{boundary}--"));
    let mut parts: Vec<String> = Vec::new();
    for line in body.lines() {
        let bare = line.trim_end();
        if bare == close {
            break;
        }
        if bare == open {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push_str(line);
            part.push('\n');
        }
    }
    parts
}
