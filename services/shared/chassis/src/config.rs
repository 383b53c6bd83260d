//! Settings: one TOML file and the environment over it, unknown keys refused by path.
//!
//! `STAFFETTA__SECTION__KEY=value` sets `section.key`. Every struct of settings says
//! `#[serde(deny_unknown_fields)]`; durations are strings such as `30s`, sizes are bytes.

use std::fmt;
use std::path::Path;

use figment::Figment;
use figment::providers::{Format, Serialized, Toml};
use figment::value::Value;
use serde::de::DeserializeOwned;

mod secret;

pub use secret::Secret;

use crate::process::ProcessConfig;

/// Environment variables with this prefix are settings; `__` separates the parts of a key.
pub const ENVIRONMENT_PREFIX: &str = "STAFFETTA__";

/// All settings of one process.
pub trait Settings: DeserializeOwned + fmt::Debug + Send + Sync + 'static {
    /// The part that every process has.
    fn process(&self) -> &ProcessConfig;

    /// Checks what types cannot say.
    ///
    /// # Errors
    /// The key and what is wrong with it.
    fn validate(&self) -> Result<(), ConfigError> {
        Ok(())
    }
}

/// Settings that cannot be used: each problem names its key and the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    problems: Vec<(String, String)>,
}

impl ConfigError {
    /// One problem with one key, e.g. `("limits.recipients", "must be at least 100")`.
    pub fn at(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { problems: vec![(key.into(), problem.into())] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (key, problem)) in self.problems.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            match key.as_str() {
                "" => write!(out, "{separator}{problem}")?,
                key => write!(out, "{separator}{key}: {problem}")?,
            }
        }
        Ok(())
    }
}

/// Reads `file` (none: defaults only) and lays `environment` over it, then validates.
///
/// # Errors
/// Everything that is wrong, by key.
pub fn load<C: Settings>(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<C, ConfigError> {
    let text = match file {
        None => String::new(),
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| ConfigError::at(path.display().to_string(), format!("cannot read: {error}")))?,
    };
    parse(&text, environment)
}

/// As [`load`], from the text of a file.
///
/// # Errors
/// Everything that is wrong, by key.
pub fn parse<C: Settings>(
    text: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<C, ConfigError> {
    let settings: C = parse_section(text, environment)?;
    settings.validate()?;
    Ok(settings)
}

/// As [`parse`] for any deserializable section, without validation; the command-line tool uses it too.
///
/// # Errors
/// Everything that is wrong, by key.
pub fn parse_section<C: DeserializeOwned>(
    text: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<C, ConfigError> {
    let mut overrides: Vec<Override> = environment.into_iter().filter_map(Override::read).collect();
    overrides.sort_by(|a, b| a.path.cmp(&b.path));
    loop {
        let mut figment = Figment::from(Toml::string(text));
        for set in &overrides {
            figment = figment.merge(Serialized::default(&set.path.join("."), set.value()));
        }
        let error = match figment.extract::<C>() {
            Ok(settings) => return Ok(settings),
            Err(error) => error,
        };
        // An environment value has no type: `123` is read as a number first. Where the setting wants
        // text, it is read again as text. Each round settles one override, so this ends.
        let wants_text = overrides.iter_mut().find(|set| {
            !set.as_text
                && error.clone().into_iter().any(|one| {
                    one.path == set.path && matches!(one.kind, figment::error::Kind::InvalidType(..))
                })
        });
        match wants_text {
            Some(set) => set.as_text = true,
            None => return Err(explain(error)),
        }
    }
}

struct Override {
    path: Vec<String>,
    raw: String,
    as_text: bool,
}

impl Override {
    fn read((name, raw): (String, String)) -> Option<Self> {
        let key = name.strip_prefix(ENVIRONMENT_PREFIX)?;
        let path = key.split("__").map(str::to_ascii_lowercase).collect();
        Some(Self { path, raw, as_text: false })
    }

    fn value(&self) -> Value {
        if self.as_text {
            return Value::from(self.raw.as_str());
        }
        self.raw.parse().unwrap_or_else(|_| Value::from(self.raw.as_str()))
    }
}

fn explain(error: figment::Error) -> ConfigError {
    use figment::error::Kind;
    let problems = error.into_iter().map(|one| {
        let mut path = one.path.clone();
        let problem = match &one.kind {
            Kind::UnknownField(field, known) => {
                if path.last() != Some(field) {
                    path.push(field.clone());
                }
                match known {
                    [] => "unknown setting; this section has none".to_owned(),
                    known => format!("unknown setting; known here: {}", known.join(", ")),
                }
            }
            Kind::MissingField(field) => {
                path.push(field.to_string());
                format!("missing; set it in the file or as {}", environment_name(&path))
            }
            Kind::InvalidType(found, expected) => format!(
                "found {found}, expected {expected}; correct it in the file or as {}",
                environment_name(&path)
            ),
            Kind::UnknownVariant(found, known) => {
                format!("found \"{found}\", expected one of {}", known.join(", "))
            }
            other => other.to_string(),
        };
        (path.join("."), problem)
    });
    ConfigError { problems: problems.collect() }
}

fn environment_name(path: &[String]) -> String {
    format!("{ENVIRONMENT_PREFIX}{}", path.join("__").to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        limits: Limits,
        #[serde(default)]
        secret: Secret,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Limits {
        size: u64,
        #[serde(with = "humantime_serde", default)]
        wait: std::time::Duration,
        #[serde(default)]
        name: String,
    }

    fn sample(text: &str, environment: &[(&str, &str)]) -> Result<Sample, String> {
        let environment = environment.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        parse_section(text, environment).map_err(|error| error.to_string())
    }

    #[test]
    fn environment_lies_over_the_file() {
        let environment =
            [("STAFFETTA__LIMITS__SIZE", "7"), ("STAFFETTA__LIMITS__WAIT", "3s"), ("PATH", "x")];
        let read = sample("[limits]\nsize = 5\nname = 'a'", &environment).unwrap();
        assert_eq!((read.limits.size, read.limits.wait.as_secs(), read.limits.name.as_str()), (7, 3, "a"));
    }

    #[test]
    fn an_unknown_key_is_refused_by_its_path() {
        let error = sample("[limits]\nsize = 5\nsise = 6", &[]).unwrap_err();
        assert_eq!(error, "limits.sise: unknown setting; known here: size, wait, name");
        let error = sample("[limits]\nsize = 5", &[("STAFFETTA__LIMIT__SIZE", "1")]).unwrap_err();
        assert!(error.starts_with("limit: unknown setting"), "{error}");
    }

    #[test]
    fn a_wrong_type_names_the_key_and_the_fix() {
        let error = sample("[limits]\nsize = 'big'", &[]).unwrap_err();
        assert_eq!(
            error,
            "limits.size: found string \"big\", expected u64; correct it in the file or as \
             STAFFETTA__LIMITS__SIZE"
        );
        let error = sample("[limits]", &[]).unwrap_err();
        assert_eq!(error, "limits.size: missing; set it in the file or as STAFFETTA__LIMITS__SIZE");
        let error = sample("[limits]\nsize = 1\nwait = 'soon'", &[]).unwrap_err();
        assert!(error.starts_with("limits.wait: "), "{error}");
    }

    #[test]
    fn text_from_the_environment_may_look_like_a_number() {
        let environment = [("STAFFETTA__LIMITS__NAME", "0123"), ("STAFFETTA__SECRET", "456")];
        let read = sample("[limits]\nsize = 5", &environment).unwrap();
        assert_eq!((read.limits.name.as_str(), read.secret.expose()), ("0123", "456"));
    }

    #[test]
    fn a_secret_comes_from_a_file_and_never_shows() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hush\n").unwrap();
        let text = format!("secret = {{ file = '{}' }}\n[limits]\nsize = 5", file.path().display());
        let read = sample(&text, &[]).unwrap();
        assert_eq!(read.secret.expose(), "hush");
        assert!(!format!("{read:?}").contains("hush"));
        let error = sample("secret = { file = '/nowhere' }\n[limits]\nsize = 5", &[]).unwrap_err();
        assert!(error.starts_with("secret: ") && error.contains("/nowhere"), "{error}");
    }
}
