//! What holds for every command, so also for the next one: `--json`, examples, the options for the target, and the
//! command lines of the documentation.

use std::fs;
use std::path::Path;

use clap::{Arg, Command, CommandFactory, Parser};

use crate::Okite;

/// The commands without `--json`, and why.
const WITHOUT_JSON: [(&str, &str); 5] = [
    (
        "up",
        "runs until Ctrl-C; local.json in its data directory is for programs",
    ),
    (
        "smtp",
        "runs until Ctrl-C, and prints its log, which is JSON; --metrics has its state",
    ),
    ("completions", "prints a script for a shell"),
    ("man", "writes files, and prints nothing"),
    ("function", "is no command for people: it runs a Lambda function"),
];

/// The commands that work on no target.
const WITHOUT_TARGET: [&str; 5] = ["smtp", "explain-bounce", "completions", "man", "function"];

/// Returns every command that does something, with its name after `okite`.
fn leaves() -> Vec<(String, Command)> {
    fn collect(name: &str, command: &Command, leaves: &mut Vec<(String, Command)>) {
        if command.get_subcommands().next().is_none() {
            leaves.push((name.to_owned(), command.clone()));
        }
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
            let path = format!("{name} {}", inner.get_name());
            collect(path.trim(), inner, leaves);
        }
    }
    let mut leaves = Vec::new();
    collect("", &Okite::command(), &mut leaves);
    leaves
}

fn option<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    command
        .get_arguments()
        .find(|argument| argument.get_long() == Some(name))
}

/// Splits a command line as a shell does, as far as the documentation needs it: quotes, `#`, and the end at `|` or `>`.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None::<char>);
    for c in line.chars() {
        match (quote, c) {
            (Some(end), c) if c == end => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '|' | '>' | ';') => break,
            (None, '#') if word.is_none() => break,
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Returns the command line of `okite` in a line of shell, which may follow a pipe.
fn okite_line(line: &str) -> Option<Vec<String>> {
    let line = line.trim();
    let begins = |text: &str| text == "okite" || text.starts_with("okite ");
    let line = if begins(line) {
        line
    } else {
        line.split_once("| ")
            .map(|(_, after)| after)
            .filter(|after| begins(after))?
    };
    Some(words(line))
}

/// Returns why clap does not take a command line; help and version are fine.
fn refusal(line: &[String]) -> Option<String> {
    let error = Okite::try_parse_from(line).err()?;
    error.use_stderr().then(|| error.to_string())
}

/// Returns whether a date is written out where an example would be too old one day.
fn ages(line: &[String]) -> bool {
    let mut pairs = line.iter().zip(line.iter().skip(1));
    pairs.any(|(option, value)| matches!(option.as_str(), "--since" | "--until" | "--by") && value.starts_with("20"))
}

#[test]
fn every_command_has_json_or_a_reason_to_have_none() {
    for (name, command) in leaves() {
        let reason = WITHOUT_JSON.iter().find(|(without, _)| *without == name);
        let json = option(&command, "json");
        assert_eq!(json.is_none(), reason.is_some(), "okite {name}");
        if let Some(json) = json {
            assert!(
                json.get_help().is_some() && !json.get_action().takes_values(),
                "okite {name}"
            );
        }
    }
    for (name, _) in WITHOUT_JSON {
        assert!(leaves().iter().any(|(leaf, _)| leaf == name), "there is no {name}");
    }
}

#[test]
fn every_command_has_an_example_that_clap_takes() {
    for (name, command) in leaves().into_iter().filter(|(_, command)| !command.is_hide_set()) {
        let about = command.get_about().unwrap_or_default().to_string();
        assert!(!about.is_empty() && !about.ends_with('.'), "okite {name}: {about}");
        let after = command
            .get_after_help()
            .unwrap_or_default()
            .to_string()
            .replace("\\\n", " ");
        let examples: Vec<_> = after.lines().filter_map(okite_line).collect();
        let prefix = format!("okite {name}");
        assert!(!examples.is_empty(), "{prefix} has no example");
        for example in examples {
            assert!(example.join(" ").starts_with(&prefix), "{prefix}: {example:?}");
            assert_eq!(refusal(&example), None, "{example:?}");
            assert!(!ages(&example), "{example:?}");
        }
    }
}

#[test]
fn the_options_for_the_target_are_the_same_everywhere() {
    let shape = |argument: &Arg| {
        let names = argument.get_value_names().map(<[_]>::to_vec);
        (names, argument.get_default_values().to_vec())
    };
    let leaves = leaves();
    let (_, model) = leaves.iter().find(|(name, _)| name == "keys list").unwrap();
    for (name, command) in &leaves {
        if WITHOUT_TARGET.contains(&name.as_str()) {
            assert!(option(command, "data-dir").is_none(), "okite {name}");
            continue;
        }
        let names: &[&str] = if name == "up" {
            &["data-dir"]
        } else {
            &["data-dir", "stack", "region"]
        };
        for option_name in names {
            let argument = option(command, option_name).unwrap_or_else(|| panic!("okite {name}: no --{option_name}"));
            let wanted = option(model, option_name).unwrap();
            assert_eq!(shape(argument), shape(wanted), "okite {name} --{option_name}");
        }
    }
}

#[test]
fn clap_takes_every_command_line_of_the_documentation() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let documents = fs::read_dir(root.join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let (mut lines, mut wrong) = (0, Vec::new());
    for document in documents.chain([root.join("README.md")]) {
        if document.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = fs::read_to_string(&document).unwrap().replace("\\\n", " ");
        let mut in_shell = false;
        for line in text.lines() {
            match line.trim().strip_prefix("```") {
                Some(language) => in_shell = !in_shell && language == "sh",
                None if in_shell => {
                    let Some(line) = okite_line(line) else { continue };
                    lines += 1;
                    let refusal = refusal(&line).or(ages(&line).then(|| "is too old one day".to_owned()));
                    wrong.extend(refusal.map(|refusal| format!("{}: {line:?}: {refusal}", document.display())));
                }
                None => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(lines > 50, "{lines}");
}

#[test]
fn splits_a_command_line_as_a_shell_does() {
    for (line, wanted) in [
        (
            "okite brake bulk --why 'a bad list'",
            Some(vec!["okite", "brake", "bulk", "--why", "a bad list"]),
        ),
        ("okite doctor | head -1", Some(vec!["okite", "doctor"])),
        (
            "echo '552 5.2.2 full' | okite explain-bounce  # reads",
            Some(vec!["okite", "explain-bounce"]),
        ),
        ("cargo run -- up", None),
        ("okitex", None),
    ] {
        let wanted: Option<Vec<String>> = wanted.map(|words| words.into_iter().map(str::to_owned).collect());
        assert_eq!(okite_line(line), wanted, "{line}");
    }
}
