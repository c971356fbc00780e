//! Configuration files: YAML, of which each key may be left out and none misspelt.

mod nearest;

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// Why a configuration was not accepted.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("failed to read config '{}'", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The text is not YAML of the right shape.
    #[error("config: {0}")]
    Syntax(String),
    /// A value is out of range.
    #[error("config: {key}: {value} is not in {min}..={max}")]
    Range {
        /// Path of the key.
        key: &'static str,
        /// The value.
        value: u64,
        /// Least allowed.
        min: u64,
        /// Most allowed.
        max: u64,
    },
    /// A value that its range does not tell about, such as a text, may not be used.
    #[error("config: {key}: {problem}")]
    Value {
        /// Path of the key.
        key: &'static str,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
}

/// A configuration that can be read from a file.
pub trait ConfigFile: Default + Serialize + DeserializeOwned {
    /// The binary whose `check-config` prints it.
    const BINARY: &'static str;

    /// Tells what the types cannot: whether each value is one that may be used.
    ///
    /// # Errors
    /// The first that may not.
    fn check(&self) -> Result<(), ConfigError>;

    /// Reads `path`, or takes the defaults without one.
    ///
    /// # Errors
    /// As [`ConfigFile::parse`], and when the file cannot be read.
    fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else { return checked(Self::default()) };
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&text)
    }

    /// Reads YAML. An empty document gives the defaults.
    ///
    /// # Errors
    /// When the text is not YAML, names an unknown key, or holds a value of the wrong type or one that [`ConfigFile::check`] refuses.
    fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut path = String::new();
        let config = serde_saphyr::with_deserializer_from_str(text, |deserializer| {
            serde_path_to_error::deserialize::<_, Option<Self>>(deserializer).map_err(|error| {
                path = error.path().to_string();
                error.into_inner()
            })
        });
        let config = config.map_err(|error| ConfigError::Syntax(nearest::explain(Self::BINARY, &path, &error)))?;
        checked(config.unwrap_or_default())
    }

    /// The file that would give this configuration, every key written out.
    ///
    /// # Errors
    /// Only where its type holds what YAML has no form for, such as a path that is not UTF-8.
    fn to_yaml(&self) -> Result<String, ConfigError> {
        serde_saphyr::to_string(self).map_err(|error| ConfigError::Syntax(error.to_string()))
    }
}

fn checked<C: ConfigFile>(config: C) -> Result<C, ConfigError> {
    config.check().map(|()| config)
}

/// Holds values against their ranges: path of the key, value, least and most allowed.
///
/// # Errors
/// [`ConfigError::Range`] for the first that is outside.
pub fn within(ranges: impl IntoIterator<Item = (&'static str, u64, u64, u64)>) -> Result<(), ConfigError> {
    match ranges.into_iter().find(|(_, value, min, max)| !(min..=max).contains(&value)) {
        Some((key, value, min, max)) => Err(ConfigError::Range { key, value, min, max }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Config {
        mode: Mode,
        pool: Pool,
    }

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Mode {
        #[default]
        Now,
        Soon,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Pool {
        max_nodes: u64,
    }

    impl Default for Pool {
        fn default() -> Pool {
            Pool { max_nodes: 3 }
        }
    }

    impl ConfigFile for Config {
        const BINARY: &'static str = "binary";

        fn check(&self) -> Result<(), ConfigError> {
            within([("pool.max_nodes", self.pool.max_nodes, 1, 100)])
        }
    }

    #[test]
    fn an_empty_file_gives_the_defaults_and_what_is_printed_reads_back() {
        for text in ["", "# nothing\n"] {
            assert_eq!(Config::parse(text).unwrap(), Config::default());
        }
        assert_eq!(Config::load(None).unwrap(), Config::default());
        let config = Config::parse("mode: soon\npool:\n  max_nodes: 7\n").unwrap();
        assert_eq!(config, Config { mode: Mode::Soon, pool: Pool { max_nodes: 7 } });
        assert_eq!(Config::parse(&config.to_yaml().unwrap()).unwrap(), config);
    }

    #[test]
    fn each_mistake_is_told_with_its_key_and_what_to_do() {
        for (text, parts) in [
            ("pool:\n  max_node: 7\n", ["config: pool.max_node: ", "did you mean 'max_nodes'?"]),
            ("mode: son\n", ["config: mode: ", "did you mean 'soon'?"]),
            ("pool:\n  max_nodes: lots\n", ["config: pool.max_nodes: ", "'binary check-config' without a file"]),
            ("pool: {max_nodes: 0}", ["config: pool.max_nodes: 0 ", "is not in 1..=100"]),
        ] {
            let error = Config::parse(text).unwrap_err().to_string();
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let error = Config::load(Some(Path::new("/nonexistent/config.yaml"))).unwrap_err();
        assert_eq!(error.to_string(), "failed to read config '/nonexistent/config.yaml'");
    }
}
