//! Where the values of settings come from, and which source wins: flag, then environment, then
//! file, then the default.
//!
//! One parser reads them all: a value from the environment or the file becomes the default of the
//! flag of its name. So a flag simply overrides it, and every value is checked by the same rule.
//! The error of a bad value names where the value came from.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use thiserror::Error;

use crate::config::ValueError;

/// Looks up an environment variable.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Why the settings cannot be used: one line, complete with its source.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The settings file, or the file of a secret, cannot be read.
    #[error("{origin}: cannot read {}: {source}", path.display())]
    Unreadable {
        /// The setting that names the file.
        origin: Origin,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The settings file is no TOML.
    #[error("{}:{line}: {reason}", path.display())]
    NoToml {
        /// The file.
        path: PathBuf,
        /// Where, counted from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// The settings file has a key that is no setting.
    #[error("{}: `{key}` is no setting{}", path.display(), did_you_mean(.similar.as_deref()))]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// A setting whose name is much alike.
        similar: Option<String>,
    },
    /// A value of the settings file is none that a setting has.
    #[error("{origin} must be a string or a whole number, not of type {kind}")]
    WrongType {
        /// The key.
        origin: Origin,
        /// What it is.
        kind: &'static str,
    },
    /// A value breaks the rule of its setting.
    #[error("{origin} \"{value}\": {reason}")]
    BadValue {
        /// Where the value came from.
        origin: Origin,
        /// The value, without any password.
        value: String,
        /// The rule.
        reason: String,
    },
    /// The file of a secret holds no value of its setting.
    #[error("{origin}: in {}: {error}", path.display())]
    BadSecret {
        /// The setting that names the file.
        origin: Origin,
        /// The file.
        path: PathBuf,
        /// The rule.
        error: ValueError,
    },
    /// A variable of the environment is not text.
    #[error("{0} is not UTF-8")]
    NotUtf8(Origin),
    /// A setting and the file that should hold it are both given.
    #[error("{first} and {second} exclude each other: give one of them")]
    Both {
        /// The setting.
        first: Origin,
        /// The setting that names a file for it.
        second: Origin,
    },
    /// The command line is not understood; or it asks for help, which is an answer, no error.
    #[error("{}", one_line(.0))]
    CommandLine(clap::Error),
}

fn did_you_mean(similar: Option<&str>) -> String {
    similar.map_or_else(String::new, |similar| {
        format!("; did you mean `{similar}`?")
    })
}

/// The first sentence of clap's message, its hints behind it.
fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let mut line = text.lines().next().unwrap_or_default().to_owned();
    for tip in text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("tip: "))
    {
        line.push_str("; ");
        line.push_str(tip);
    }
    line + "; see --help"
}

/// Where a value came from, as its user knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A key of the settings file.
    Key(String, PathBuf),
    /// A variable of the environment.
    Variable(String),
    /// A flag of the command line.
    Flag(String),
}

impl Origin {
    /// Which origin wins: the one of the higher rank.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Key(..) => 1,
            Self::Variable(_) => 2,
            Self::Flag(_) => 3,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key, path) => write!(f, "{}: {key}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// The sources of one start.
pub struct Sources<'a> {
    /// The command line, the name of the program first.
    pub arguments: Vec<OsString>,
    /// The environment.
    pub environment: Environment<'a>,
}

/// What the sources gave.
#[derive(Debug)]
pub struct Given {
    /// Every value, checked.
    pub matches: ArgMatches,
    origins: BTreeMap<String, Origin>,
}

impl Given {
    /// Where the value of a setting came from; `None` for a default.
    pub(super) fn origin(&self, id: &str) -> Option<&Origin> {
        self.origins.get(id)
    }
}

/// Values that are no flags, by the id of their setting.
type Values = BTreeMap<String, (Origin, String)>;

impl Sources<'_> {
    /// Reads the command line of `command`, whose settings may come from elsewhere too. The
    /// subcommand `serving`, and no subcommand at all, take a settings file.
    ///
    /// # Errors
    /// The first thing that cannot be used.
    pub fn parse(&self, command: &Command, serving: &str) -> Result<Given, SourceError> {
        // clap would read the environment by itself, and not tell it from flags in its errors.
        let plain = without_environment(command.clone());
        let lenient = plain.clone().ignore_errors(true);
        let given = lenient
            .try_get_matches_from(&self.arguments)
            .map_err(|help| self.with_variables(help, command))?;
        let (name, given) = given.subcommand().unwrap_or(("", &given));
        let target = command.find_subcommand(name).unwrap_or(command);

        let mut values = Values::new();
        if (name.is_empty() || name == serving)
            && let Some((origin, path)) = self.settings_file(given)
        {
            values = read_file(origin, &path, target)?;
        }
        values.extend(self.variables(target)?);
        values.retain(|id, _| !is_flag(given, id));
        for (id, (origin, value)) in &values {
            check(target, id, origin, value)?;
        }
        let matches = with_defaults(plain, name, &values)
            .try_get_matches_from(&self.arguments)
            .map_err(flag_error)?;
        let origins = origins(given, target, values);
        Ok(Given { matches, origins })
    }

    /// The help as the untouched command prints it: it names the variables.
    fn with_variables(&self, help: clap::Error, command: &Command) -> SourceError {
        let arguments = &self.arguments;
        let result = command.clone().try_get_matches_from(arguments);
        SourceError::CommandLine(result.err().unwrap_or(help))
    }

    /// The file that has settings, and who says so.
    fn settings_file(&self, given: &ArgMatches) -> Option<(Origin, PathBuf)> {
        const VARIABLE: &str = "SESSIONSTORE_CONFIG";
        if let Ok(Some(path)) = given.try_get_one::<PathBuf>("config") {
            return Some((Origin::Flag("config".to_owned()), path.clone()));
        }
        let path = (self.environment)(VARIABLE)?;
        Some((Origin::Variable(VARIABLE.to_owned()), path.into()))
    }

    /// What the environment says about the settings of `target`.
    fn variables(&self, target: &Command) -> Result<Values, SourceError> {
        let mut values = Values::new();
        for arg in target.get_arguments() {
            let Some(name) = arg.get_env().and_then(OsStr::to_str) else {
                continue;
            };
            let Some(value) = (self.environment)(name) else {
                continue;
            };
            let origin = Origin::Variable(name.to_owned());
            match value.into_string() {
                Ok(value) => values.insert(arg.get_id().to_string(), (origin, value)),
                Err(_) => return Err(SourceError::NotUtf8(origin)),
            };
        }
        Ok(values)
    }
}

fn is_flag(given: &ArgMatches, id: &str) -> bool {
    given.try_contains_id(id).unwrap_or(false)
        && given.value_source(id) == Some(ValueSource::CommandLine)
}

fn origins(given: &ArgMatches, target: &Command, values: Values) -> BTreeMap<String, Origin> {
    let mut origins: BTreeMap<_, _> = values
        .into_iter()
        .map(|(id, (origin, _))| (id, origin))
        .collect();
    for arg in target.get_arguments() {
        let id = arg.get_id().as_str();
        if let Some(name) = arg.get_long().filter(|_| is_flag(given, id)) {
            origins.insert(id.to_owned(), Origin::Flag(name.to_owned()));
        }
    }
    origins
}

fn without_environment(command: Command) -> Command {
    command
        .mut_args(|arg| arg.env(None::<&'static str>))
        .mut_subcommands(without_environment)
}

/// `command` with these values as the defaults of its subcommand `name`, or of its own.
fn with_defaults(command: Command, name: &str, values: &Values) -> Command {
    let set = |arg: Arg| match values.get(arg.get_id().as_str()) {
        Some((_, value)) => arg.default_value(value.clone()),
        None => arg,
    };
    if name.is_empty() {
        command.mut_args(set)
    } else {
        command.mut_subcommand(name, |subcommand| subcommand.mut_args(set))
    }
}

/// Checks one value by the rule of its setting.
fn check(target: &Command, id: &str, origin: &Origin, value: &str) -> Result<(), SourceError> {
    let Some(arg) = target.get_arguments().find(|arg| arg.get_id() == id) else {
        return Ok(());
    };
    let long = arg.get_long().unwrap_or(id);
    let only = Command::new("check").arg(arg.clone().env(None::<&'static str>));
    match only.try_get_matches_from(["check", &format!("--{long}={value}")]) {
        Ok(_) => Ok(()),
        Err(error) => Err(SourceError::BadValue {
            origin: origin.clone(),
            value: without_password(value),
            reason: reason(&error),
        }),
    }
}

/// An error of the command line, in the words of all sources where it is a bad value.
fn flag_error(error: clap::Error) -> SourceError {
    let is_bad_value = matches!(
        error.kind(),
        ErrorKind::ValueValidation | ErrorKind::InvalidValue
    );
    let (arg, value) = (
        error.get(ContextKind::InvalidArg),
        error.get(ContextKind::InvalidValue),
    );
    match (is_bad_value, arg, value) {
        (true, Some(ContextValue::String(arg)), Some(ContextValue::String(value))) => {
            let name = arg.split(' ').next().unwrap_or(arg);
            SourceError::BadValue {
                origin: Origin::Flag(name.trim_start_matches('-').to_owned()),
                value: without_password(value),
                reason: reason(&error),
            }
        }
        _ => SourceError::CommandLine(error),
    }
}

/// The rule that was broken.
fn reason(error: &clap::Error) -> String {
    if let Some(source) = error.source() {
        return source.to_string();
    }
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(valid)) => format!("expected one of {}", valid.join(", ")),
        _ => one_line(error),
    }
}

/// `value` without the user and the password that a URL may hold. The URL may be mistyped: what
/// stands before the last `@` is hidden, all but a scheme.
fn without_password(value: &str) -> String {
    let Some((before, host)) = value.rsplit_once('@') else {
        return value.to_owned();
    };
    let (scheme, _) = before.split_once(':').unwrap_or_default();
    let secret = before[scheme.len()..].trim_start_matches([':', '/']);
    let shown = &before[..before.len() - secret.len()];
    format!("{shown}***@{host}")
}

fn read_file(origin: Origin, path: &Path, target: &Command) -> Result<Values, SourceError> {
    let text = fs::read_to_string(path).map_err(|source| SourceError::Unreadable {
        origin,
        path: path.to_owned(),
        source,
    })?;
    let table: toml::Table = toml::from_str(&text).map_err(|error| SourceError::NoToml {
        path: path.to_owned(),
        line: line_of(&text, error.span()),
        reason: error.message().to_owned(),
    })?;
    let mut values = Values::new();
    for (key, value) in table {
        let Some(arg) = settings_of_file(target).find(|arg| arg.get_long() == Some(&key)) else {
            return Err(SourceError::UnknownKey {
                path: path.to_owned(),
                similar: similar(target, &key),
                key,
            });
        };
        let origin = Origin::Key(key, path.to_owned());
        let value = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            other => {
                return Err(SourceError::WrongType {
                    origin,
                    kind: other.type_str(),
                });
            }
        };
        values.insert(arg.get_id().to_string(), (origin, value));
    }
    Ok(values)
}

/// What may be in a file: not the name of the next file.
fn settings_of_file(target: &Command) -> impl Iterator<Item = &Arg> {
    let is_setting = |arg: &&Arg| arg.get_id() != "config";
    target.get_arguments().filter(is_setting)
}

fn line_of(text: &str, span: Option<Range<usize>>) -> usize {
    let before = span.and_then(|span| text.get(..span.start)).unwrap_or("");
    before.matches('\n').count() + 1
}

/// The setting whose name is most like `key`, if one is.
fn similar(target: &Command, key: &str) -> Option<String> {
    let flag = format!("--{}", key.replace('_', "-"));
    let is_one = |arg: &Arg| arg.get_long().is_some_and(|long| flag[2..] == *long);
    if settings_of_file(target).any(is_one) {
        return Some(flag[2..].to_owned());
    }
    let command = Command::new("similar").args(settings_of_file(target).cloned());
    let error = command.try_get_matches_from(["similar", &flag]).err()?;
    match error.get(ContextKind::SuggestedArg)? {
        ContextValue::String(suggested) => Some(suggested.trim_start_matches('-').to_owned()),
        _ => None,
    }
}

/// Reads a secret from the file that holds it, without the newline that editors leave at its end.
pub(super) fn read_secret(origin: &Origin, path: &Path) -> Result<String, SourceError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
        Err(source) => Err(SourceError::Unreadable {
            origin: origin.clone(),
            path: path.to_owned(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests;
