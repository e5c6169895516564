//! The caller's choice if there is no room for a mail now.

use serde::{Deserialize, Serialize};

/// The consequence for a mail for which there is no room now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenBusy {
    /// Okite keeps the mail and sends it when there is room.
    #[default]
    Queue,
    /// Okite asks again for some seconds, and then refuses.
    Wait,
    /// Okite refuses at once.
    Refuse,
}

impl WhenBusy {
    /// All of them, in the order in which documents and errors list them.
    pub const ALL: [Self; 3] = [Self::Queue, Self::Wait, Self::Refuse];

    /// Returns the name that the API, API keys and items use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Wait => "wait",
            Self::Refuse => "refuse",
        }
    }

    /// Reads the name. Returns `None` for any other text.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_as_its_choice_and_no_other_text_does() {
        for choice in WhenBusy::ALL {
            assert_eq!(WhenBusy::parse(choice.as_str()), Some(choice));
            assert_eq!(serde_json::to_value(choice).unwrap(), choice.as_str());
        }
        for other in ["", "Queue", "queue ", "now"] {
            assert_eq!(WhenBusy::parse(other), None, "{other}");
        }
    }
}
