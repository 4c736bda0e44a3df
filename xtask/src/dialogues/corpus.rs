//! Reading the chatterbot corpus: `<language>/<subject>.yml`, each a list of conversations.
//!
//! The files are written by many hands. Nothing is repaired by guessing: what is no conversation
//! is left out, what is an unusual one is kept as it is, and both are counted.

use std::{
    collections::{BTreeSet, HashSet},
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::Value;

/// The folders of the corpus and the BCP 47 tags of their languages.
const LANGUAGES: [(&str, &str); 28] = [
    ("bengali", "bn"),
    // Simplified characters, as against the folder traditionalchinese.
    ("chinese", "zh-Hans"),
    ("dutch", "nl"),
    ("english", "en"),
    ("french", "fr"),
    ("german", "de"),
    ("hebrew", "he"),
    ("hindi", "hi"),
    // Hindi mixed with English, in Latin letters.
    ("hinglish", "hi-Latn"),
    ("indonesian", "id"),
    ("italian", "it"),
    ("japanese", "ja"),
    ("korean", "ko"),
    ("marathi", "mr"),
    ("oriya", "or"),
    ("persian", "fa"),
    ("portuguese", "pt"),
    ("russian", "ru"),
    ("spanish", "es"),
    ("swedish", "sv"),
    ("tamil", "ta"),
    ("telugu", "te"),
    ("thai", "th"),
    ("traditionalchinese", "zh-Hant"),
    ("turkish", "tr"),
    ("ukrainian", "uk"),
    ("urdu", "ur"),
    ("yoruba", "yo"),
];

/// All conversations of the corpus, in the order of folders, files and places in the file.
#[derive(Debug)]
pub(super) struct Corpus {
    pub(super) dialogues: Vec<Dialogue>,
    pub(super) oddities: Oddities,
    files: usize,
}

/// One conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dialogue {
    /// `english/ai`
    pub(super) subject: String,
    /// Its place in the file, from 1.
    pub(super) number: usize,
    /// BCP 47.
    pub(super) language: &'static str,
    pub(super) categories: Vec<String>,
    pub(super) turns: Vec<Turn>,
}

/// One line of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Turn {
    /// Its place in the conversation, from 1: odd ones are the user's.
    pub(super) number: usize,
    pub(super) text: String,
}

/// What is unusual in the files, and how often.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Oddities {
    /// A conversation that is one text instead of a list: kept as one turn.
    pub(super) one_text: usize,
    /// A conversation of one turn: kept.
    pub(super) one_turn: usize,
    /// A conversation that stands in the same file before: kept.
    pub(super) repeated: usize,
    /// A conversation without any turn, or something else in its place: left out.
    pub(super) no_conversation: usize,
    /// A turn that YAML reads as a number or truth value: kept as its text.
    pub(super) no_string: usize,
    /// A turn with white space around the text: kept with it.
    pub(super) padded: usize,
    /// A turn without text: left out, those after it keep their number.
    pub(super) empty: usize,
    /// A list or map in the place of a turn: left out, those after it keep their number.
    pub(super) nested: usize,
}

#[derive(Deserialize)]
struct CorpusFile {
    #[serde(default)]
    categories: Vec<Value>,
    conversations: Vec<Value>,
}

impl Corpus {
    /// Reads all files below `folder`.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let mut corpus = Self {
            dialogues: Vec::new(),
            oddities: Oddities::default(),
            files: 0,
        };
        for language_folder in sorted_entries(folder)? {
            for path in sorted_entries(&language_folder)? {
                let text = fs::read_to_string(&path);
                text.map_err(anyhow::Error::from)
                    .and_then(|text| corpus.add_file(&path, &text))
                    .with_context(|| format!("cannot read {}", path.display()))?;
            }
        }
        Ok(corpus)
    }

    fn add_file(&mut self, path: &Path, text: &str) -> anyhow::Result<()> {
        let folder = name(path.parent().context("a file without a folder")?)?;
        let Some((_, language)) = LANGUAGES.iter().find(|(known, _)| *known == folder) else {
            bail!("the language {folder} has no tag yet: add it to LANGUAGES");
        };
        let subject = format!("{folder}/{}", name(&path.with_extension(""))?);
        let dialogues = dialogues_of(&subject, language, text, &mut self.oddities)?;
        self.dialogues.extend(dialogues);
        self.files += 1;
        Ok(())
    }

    /// The figures of the corpus and its oddities, one a line.
    pub(super) fn description(&self) -> String {
        let languages: BTreeSet<&str> = self.dialogues.iter().map(|it| it.language).collect();
        let turns: usize = self.dialogues.iter().map(|it| it.turns.len()).sum();
        let mut text = format!(
            "corpus: {} languages, {} files, {} conversations, {turns} turns",
            languages.len(),
            self.files,
            self.dialogues.len(),
        );
        for (what, count) in self.oddities.described() {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n  {count:>5}  {what}");
        }
        text
    }
}

impl Oddities {
    fn described(self) -> [(&'static str, usize); 8] {
        [
            (
                "conversations are one text: kept as one turn",
                self.one_text,
            ),
            ("conversations have one turn: kept", self.one_turn),
            (
                "conversations repeat one of the same file: kept",
                self.repeated,
            ),
            ("conversations are none: left out", self.no_conversation),
            ("turns are no string: kept as text", self.no_string),
            ("turns have white space around them: kept", self.padded),
            ("turns are empty: left out", self.empty),
            ("turns are lists or maps: left out", self.nested),
        ]
    }
}

/// The conversations of one file.
fn dialogues_of(
    subject: &str,
    language: &'static str,
    yaml: &str,
    oddities: &mut Oddities,
) -> anyhow::Result<Vec<Dialogue>> {
    let options = serde_saphyr::options! {
        // These are texts: `Yes` is an answer and `007` a name.
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
    };
    let file: CorpusFile = serde_saphyr::from_str_with_options(yaml, options)?;
    let categories: Vec<String> = file.categories.iter().filter_map(text_of).collect();
    let mut seen = HashSet::new();
    let mut dialogues = Vec::new();
    for (number, conversation) in (1..).zip(&file.conversations) {
        let turns = turns_of(conversation, oddities);
        match turns.len() {
            0 => {
                oddities.no_conversation += 1;
                continue;
            }
            1 if conversation.is_array() => oddities.one_turn += 1,
            _ => {}
        }
        if !seen.insert(conversation.to_string()) {
            oddities.repeated += 1;
        }
        dialogues.push(Dialogue {
            subject: subject.to_owned(),
            number,
            language,
            categories: categories.clone(),
            turns,
        });
    }
    Ok(dialogues)
}

fn turns_of(conversation: &Value, oddities: &mut Oddities) -> Vec<Turn> {
    let items = match conversation {
        Value::Array(items) => items.as_slice(),
        Value::String(_) => {
            oddities.one_text += 1;
            std::slice::from_ref(conversation)
        }
        _ => return Vec::new(),
    };
    (1..)
        .zip(items)
        .filter_map(|(number, item)| {
            let text = turn_text(item, oddities)?;
            Some(Turn { number, text })
        })
        .collect()
}

fn turn_text(item: &Value, oddities: &mut Oddities) -> Option<String> {
    let Some(text) = text_of(item) else {
        oddities.nested += 1;
        return None;
    };
    if text.trim().is_empty() {
        oddities.empty += 1;
        return None;
    }
    if text.trim() != text {
        oddities.padded += 1;
    }
    if !item.is_string() {
        oddities.no_string += 1;
    }
    Some(text)
}

/// The text of a scalar; none of a list or map.
fn text_of(scalar: &Value) -> Option<String> {
    match scalar {
        Value::String(text) => Some(text.clone()),
        Value::Null => Some(String::new()),
        Value::Bool(_) | Value::Number(_) => Some(scalar.to_string()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn sorted_entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .map(|paths: Vec<PathBuf>| paths)
        .with_context(|| format!("cannot read {}", folder.display()))?;
    paths.sort();
    Ok(paths)
}

fn name(path: &Path) -> anyhow::Result<&str> {
    path.file_name()
        .and_then(|name| name.to_str())
        .with_context(|| format!("{} has no name in UTF-8", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> (Vec<Dialogue>, Oddities) {
        let mut oddities = Oddities::default();
        let dialogues = dialogues_of("english/test", "en", yaml, &mut oddities).unwrap();
        (dialogues, oddities)
    }

    fn texts(dialogue: &Dialogue) -> Vec<(usize, &str)> {
        let turns = dialogue.turns.iter();
        turns
            .map(|turn| (turn.number, turn.text.as_str()))
            .collect()
    }

    #[test]
    fn a_conversation_is_its_lines_in_order() {
        let yaml =
            "categories: [greetings]\nconversations:\n- - Hello\n  - Hi\n- - Bye\n  - See you\n";
        let (dialogues, oddities) = read(yaml);
        assert_eq!(dialogues.len(), 2);
        assert_eq!(dialogues[1].number, 2);
        assert_eq!(dialogues[1].categories, ["greetings"]);
        assert_eq!(texts(&dialogues[1]), [(1, "Bye"), (2, "See you")]);
        assert_eq!(oddities, Oddities::default());
    }

    #[test]
    fn a_turn_that_yaml_takes_for_another_type_keeps_its_text() {
        let (dialogues, oddities) = read("conversations:\n- - Yes\n  - 42\n  - 007\n  - true\n");
        let expected = [(1, "Yes"), (2, "42"), (3, "007"), (4, "true")];
        assert_eq!(texts(&dialogues[0]), expected);
        assert_eq!(oddities.no_string, 2);
    }

    #[test]
    fn an_empty_or_nested_turn_is_left_out_and_the_others_keep_their_number() {
        let (dialogues, oddities) =
            read("conversations:\n- - Hello\n  -\n  - ' '\n  - a: b\n  - Bye\n");
        assert_eq!(texts(&dialogues[0]), [(1, "Hello"), (5, "Bye")]);
        assert_eq!((oddities.empty, oddities.nested), (2, 1));
    }

    #[test]
    fn a_conversation_that_is_one_text_is_one_turn() {
        let (dialogues, oddities) = read("conversations:\n- Hello\n- - Bye\n");
        assert_eq!(texts(&dialogues[0]), [(1, "Hello")]);
        assert_eq!((oddities.one_text, oddities.one_turn), (1, 1));
    }

    #[test]
    fn a_repeated_conversation_is_kept_under_its_own_number() {
        let (dialogues, oddities) = read("conversations:\n- [a, b]\n- [a, b]\n");
        assert_eq!((dialogues[0].number, dialogues[1].number), (1, 2));
        assert_eq!(oddities.repeated, 1);
    }

    #[test]
    fn what_is_no_conversation_is_left_out() {
        let (dialogues, oddities) = read("conversations:\n- 1\n- []\n- {a: b}\n- [a, b]\n");
        assert_eq!(dialogues[0].number, 4);
        assert_eq!(oddities.no_conversation, 3);
    }

    #[test]
    fn a_byte_order_mark_does_no_harm() {
        let (dialogues, _) = read("\u{feff}conversations:\n- [a, ' b']\n");
        assert_eq!(texts(&dialogues[0]), [(1, "a"), (2, " b")]);
    }

    #[test]
    fn a_file_that_is_no_corpus_is_an_error() {
        let mut oddities = Oddities::default();
        assert!(dialogues_of("english/test", "en", "just text", &mut oddities).is_err());
    }

    #[test]
    fn an_unknown_language_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("klingon")).unwrap();
        fs::write(folder.path().join("klingon/ai.yml"), "conversations: []").unwrap();
        let error = Corpus::read(folder.path()).unwrap_err();
        assert!(format!("{error:#}").contains("klingon has no tag"));
    }
}
