//! Calls of a bootstrap in scripts, read and not run: quotes, line ends and variables that are set literally.

use super::{Bootstrap, Given, Kind, Kubelet};

/// A word of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Word {
    text: String,
    /// It holds something that a shell would replace.
    computed: bool,
}

/// The call of `/etc/eks/bootstrap.sh` in a script or in cloud-config. Options take a value each, what remains is the cluster's name
/// (amazon-eks-ami, `templates/al2/runtime/bootstrap.sh`).
pub(super) fn bootstrap_sh(text: &str) -> Option<Bootstrap> {
    let mut call = calls(text, "/etc/eks/bootstrap.sh").find(|words| !words.is_empty())?;
    if text.starts_with("#cloud-config") {
        // `runcmd` may have a list of words.
        call.iter_mut().for_each(|word| word.text = word.text.trim_matches([',', '[', ']']).to_owned());
        call.retain(|word| !word.text.is_empty());
    }
    let mut found = Bootstrap {
        kind: Kind::BootstrapSh,
        cluster: Given::Missing,
        endpoint: Given::Missing,
        certificate_authority: false,
        service_cidr: false,
        kubelet: Kubelet::default(),
    };
    let mut words = call.into_iter();
    while let Some(word) = words.next() {
        if !word.text.starts_with("--") {
            if found.cluster == Given::Missing {
                found.cluster = given(word, text, Given::name);
            }
            continue;
        }
        let value = words.next().unwrap_or_default();
        match word.text.as_str() {
            "--apiserver-endpoint" => found.endpoint = given(value, text, Given::url),
            "--b64-cluster-ca" => found.certificate_authority = !value.text.is_empty(),
            "--kubelet-extra-args" => {
                if let Some(flags) = resolved(value, text) {
                    found.kubelet.add_all(&flags);
                }
            }
            _ => {}
        }
    }
    Some(found)
}

/// The parameters of `Start-EKSBootstrap.ps1` (EKS user guide, "Bootstrap script configuration parameters").
pub(super) fn windows(text: &str) -> Bootstrap {
    let of = |parameter: &str| calls(text, parameter).next().and_then(|words| words.into_iter().next());
    let mut kubelet = Kubelet::default();
    if let Some(flags) = of("-KubeletExtraArgs").and_then(|word| resolved(word, text)) {
        kubelet.add_all(&flags);
    }
    Bootstrap {
        kind: Kind::Windows,
        cluster: of("-EKSClusterName").map_or(Given::Missing, |word| given(word, text, Given::name)),
        endpoint: of("-APIServerEndpoint").map_or(Given::Missing, |word| given(word, text, Given::url)),
        certificate_authority: of("-Base64ClusterCA").is_some(),
        service_cidr: false,
        kubelet,
    }
}

/// What follows each `command` that is no comment, up to the command's end.
fn calls<'a>(text: &'a str, command: &'a str) -> impl Iterator<Item = Vec<Word>> + 'a {
    text.match_indices(command).filter_map(move |(at, _)| {
        let (before, after) = text.split_at_checked(at)?;
        let line = before.rsplit('\n').next().unwrap_or_default();
        if line.trim_start().starts_with('#') {
            return None;
        }
        let after = after.strip_prefix(command)?;
        // `/etc/eks/bootstrap.sh.log` is another word.
        after.chars().next().is_none_or(|next| !next.is_alphanumeric() && !"._-/".contains(next)).then(|| words(after))
    })
}

/// The words up to an end of line that is not quoted or escaped, or to `;`, `|`, `&`, `>`, `<` or a comment.
fn words(text: &str) -> Vec<Word> {
    let (mut words, mut word, mut quote): (Vec<Word>, Option<Word>, Option<char>) = (Vec::new(), None, None);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (Some('\''), _) => word.get_or_insert_default().text.push(character),
            // The one before an end of line: of the shell and of PowerShell.
            (_, '\\' | '`') if characters.peek().is_some_and(|next| matches!(next, '\n' | '\r')) => {
                characters.next_if_eq(&'\r');
                characters.next_if_eq(&'\n');
            }
            (_, '\\') if characters.peek().is_some_and(|next| matches!(next, '"' | '\\' | '$' | ' ' | '\'')) => {
                word.get_or_insert_default().text.extend(characters.next());
            }
            (_, '$' | '`') => {
                let word = word.get_or_insert_default();
                word.computed = true;
                word.text.push(character);
            }
            (Some(_), _) => word.get_or_insert_default().text.push(character),
            // A quote with nothing in it is a word.
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, '\n' | '\r' | ';' | '|' | '&' | '>' | '<') => break,
            (None, '#') if word.is_none() => break,
            (None, _) if character.is_whitespace() => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().text.push(character),
        }
    }
    words.extend(word);
    words
}

/// The value of a word as `of` takes it.
fn given(word: Word, script: &str, of: impl Fn(Option<String>) -> Given) -> Given {
    resolved(word, script).map_or(Given::Computed, |text| of(Some(text)))
}

/// The value of a word: itself, or what the variable is set to that it consists of; `None` where only a shell can tell.
fn resolved(word: Word, script: &str) -> Option<String> {
    if !word.computed {
        return Some(word.text);
    }
    let name = word.text.strip_prefix('$').unwrap_or_default();
    let name = name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name);
    if name.is_empty() || !name.chars().all(|character| character.is_alphanumeric() || character == '_') {
        return None;
    }
    let mut values = script.lines().filter_map(|line| assigned(line.trim(), name));
    match (values.next(), values.next()) {
        // Set twice, it depends on the way that the script takes.
        (Some(Word { text, computed: false }), None) => Some(text),
        _ => None,
    }
}

/// The value that a line gives to a variable: `NAME=value`, `export NAME=value`, `$NAME = "value"`, `[string]$NAME = "value"`.
fn assigned(line: &str, name: &str) -> Option<Word> {
    let (left, right) = line.split_once('=')?;
    let left = left.trim().trim_start_matches("export ").trim_start_matches("[string]");
    let is_it = left.trim_start_matches('$') == name;
    is_it.then(|| words(right.trim()).into_iter().next().unwrap_or_default())
}
