//! The language a conversation is held in.

use std::fmt;
use std::sync::Arc;

use oxilangtag::LanguageTag;
use thiserror::Error;

/// A well-formed BCP 47 language tag, as the client wrote it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Language(Arc<str>);

/// Why a text is no language tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LanguageError {
    /// Longer than the limit.
    #[error("must be at most {limit} bytes, this has {actual}")]
    TooLong {
        /// The limit in force, in bytes.
        limit: usize,
        /// The length of what was given, in bytes.
        actual: usize,
    },
    /// Not the grammar of RFC 5646 §2.1.
    #[error("must be a BCP 47 language tag such as `en`, `pt-BR` or `zh-Hans-CN`")]
    NotWellFormed,
}

impl Language {
    /// Checks length and grammar (well-formed, not registered: the registry grows).
    ///
    /// # Errors
    /// The first rule that `text` breaks.
    pub fn parse(text: &str, limit: usize) -> Result<Self, LanguageError> {
        if text.len() > limit {
            return Err(LanguageError::TooLong {
                limit,
                actual: text.len(),
            });
        }
        LanguageTag::parse(text).map_err(|_| LanguageError::NotWellFormed)?;
        Ok(Self(text.into()))
    }

    /// A tag that was checked before it was stored.
    pub fn from_stored(text: &str) -> Self {
        Self(text.into())
    }

    /// The tag as the client wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag in lower case: what filters compare, since BCP 47 tags ignore case.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_formed_tags_are_kept_as_written() {
        for tag in [
            "en",
            "pt-BR",
            "zh-Hans-CN",
            "EN-us",
            "sl-rozaj-biske",
            "x-private",
            "i-klingon",
        ] {
            assert_eq!(Language::parse(tag, 35).unwrap().as_str(), tag);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for tag in [
            "",
            "e",
            "english language",
            "en_US",
            "-en",
            "en-",
            "1234",
            "dé",
        ] {
            assert_eq!(
                Language::parse(tag, 35),
                Err(LanguageError::NotWellFormed),
                "{tag}"
            );
        }
        assert_eq!(
            Language::parse("en-abcdefgh-abcdefgh", 10),
            Err(LanguageError::TooLong {
                limit: 10,
                actual: 20
            })
        );
    }
}
