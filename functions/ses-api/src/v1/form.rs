//! The parameters of a form. Lists are `Name.member.1`, `Name.member.2` and so on.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::fault::{ApiFault, FaultKind};

/// The most parameters: many times the need of a mail that reaches every limit.
const PARAMETERS_MAX: usize = 2_000;

/// A form.
#[derive(Debug, Default)]
pub(super) struct Form(HashMap<String, String>);

impl Form {
    /// Reads a body. A parameter that is given twice is refused: programs differ in which of the two they take.
    pub(super) fn read(body: &[u8]) -> Result<Self, ApiFault> {
        let malformed = |problem: &str| ApiFault::new(FaultKind::Malformed, problem);
        let mut form = HashMap::new();
        for (name, value) in form_urlencoded::parse(body) {
            if form.len() == PARAMETERS_MAX {
                return Err(malformed(&format!(
                    "The request has more than {PARAMETERS_MAX} parameters."
                )));
            }
            match form.entry(name.into_owned()) {
                Entry::Vacant(place) => place.insert(value.into_owned()),
                Entry::Occupied(_) => return Err(malformed("The request has the same parameter twice.")),
            };
        }
        Ok(Self(form))
    }

    /// Takes a parameter. An empty one counts as absent: SDKs write so what is not given.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name).filter(|value| !value.is_empty())
    }

    /// Takes a parameter that may be empty.
    pub(super) fn take_text(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// Takes a list, in the order of its numbers.
    pub(super) fn take_list(&mut self, name: &str) -> Vec<String> {
        let numbers = self.numbers(name);
        let mut take = |number| self.take(&format!("{name}.member.{number}"));
        numbers.into_iter().filter_map(&mut take).collect()
    }

    /// Takes a list of pairs with the members `Name` and `Value`.
    pub(super) fn take_pairs(&mut self, name: &str) -> Vec<(String, String)> {
        let numbers = self.numbers(name);
        let mut take = |number, member| {
            let value = self.take(&format!("{name}.member.{number}.{member}"));
            value.unwrap_or_default()
        };
        numbers
            .into_iter()
            .map(|number| (take(number, "Name"), take(number, "Value")))
            .collect()
    }

    /// Returns whether a parameter is given that is not empty.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_empty())
    }

    /// Returns the numbers of a list's members, sorted.
    fn numbers(&self, name: &str) -> Vec<u32> {
        let number = |parameter: &String| {
            let rest = parameter.strip_prefix(name)?.strip_prefix(".member.")?;
            let digits = rest.split_once('.').map_or(rest, |(digits, _)| digits);
            let number: u32 = digits.parse().ok()?;
            // `01` and `+1` would be other names than those that are taken.
            (number.to_string() == digits).then_some(number)
        };
        let mut numbers: Vec<u32> = self.0.keys().filter_map(number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(body: &str) -> Form {
        Form::read(body.as_bytes()).unwrap()
    }

    #[test]
    fn decodes_parameters() {
        let mut form = read("Source=Ada+%3Cada%40example.com%3E&Empty=&Text=a%2Bb");
        assert!(form.has("Source") && !form.has("Empty") && !form.has("Other"));
        assert_eq!(form.take("Source").as_deref(), Some("Ada <ada@example.com>"));
        assert_eq!(form.take("Empty"), None);
        assert_eq!(form.take("Text").as_deref(), Some("a+b"));
        assert_eq!(read("Empty=").take_text("Empty").as_deref(), Some(""));
    }

    #[test]
    fn reads_lists_in_the_order_of_their_numbers() {
        let mut form = read("A.member.10=c&A.member.2=b&A.member.1=a&A.member.02=x&AB.member.1=y&A.member.x=z&A=");
        assert_eq!(form.take_list("A"), ["a", "b", "c"]);
        assert_eq!(form.take_list("Other"), [""; 0]);
        let mut form = read("T.member.1.Name=a&T.member.1.Value=1&T.member.2.Name=b");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(form.take_pairs("T"), [pair("a", "1"), pair("b", "")]);
    }

    #[test]
    fn refuses_a_parameter_given_twice_and_too_many() {
        let fault = Form::read(b"Source=a&Source=b").unwrap_err();
        assert_eq!(fault.kind, FaultKind::Malformed);
        let many: Vec<String> = (0..=PARAMETERS_MAX).map(|n| format!("a{n}=")).collect();
        assert!(Form::read(many.join("&").as_bytes()).is_err());
        assert!(Form::read(many[1..].join("&").as_bytes()).is_ok());
    }

    proptest! {
        #[test]
        fn a_form_gives_back_what_was_written(texts in prop::collection::vec("\\PC{1,12}", 0..12)) {
            let mut written = form_urlencoded::Serializer::new(String::new());
            for (index, text) in texts.iter().enumerate() {
                written.append_pair(&format!("A.member.{}", index + 1), text);
            }
            prop_assert_eq!(read(&written.finish()).take_list("A"), texts);
        }

        #[test]
        fn no_body_makes_the_reader_panic(body in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(mut form) = Form::read(&body) {
                form.take_list("");
                form.take_pairs("A");
            }
        }
    }
}
