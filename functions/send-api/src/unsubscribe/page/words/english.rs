//! The sentences in English.

use super::{About, Message, Words};

const NOTHING_ELSE: &str = "Other emails, such as receipts and password resets, are not affected.";
const ON_ITS_WAY: &str = "An email that is already on its way may still reach you.";

pub(super) static WORDS: Words = Words {
    around_sender: (" from ", ""),
    ask: About {
        named: Message {
            heading: "Unsubscribe from “{topic}”?",
            lead: "If you unsubscribe, you will no longer receive “{topic}” emails{sender}.",
            note: NOTHING_ELSE,
        },
        unnamed: Message {
            heading: "Unsubscribe from these emails?",
            lead: "If you unsubscribe, you will no longer receive these emails{sender}.",
            note: NOTHING_ELSE,
        },
    },
    left: About {
        named: Message {
            heading: "You have unsubscribed",
            lead: "You will no longer receive “{topic}” emails{sender}.",
            note: ON_ITS_WAY,
        },
        unnamed: Message {
            heading: "You have unsubscribed",
            lead: "You will no longer receive these emails{sender}.",
            note: ON_ITS_WAY,
        },
    },
    came_back: About {
        named: Message {
            heading: "You are subscribed again",
            lead: "You can receive “{topic}” emails{sender} again.",
            note: "",
        },
        unnamed: Message {
            heading: "You are subscribed again",
            lead: "You can receive these emails{sender} again.",
            note: "",
        },
    },
    cannot_come_back: About {
        named: Message {
            heading: "You are still unsubscribed",
            lead: "You left so many mailings that “{topic}” emails{sender} cannot be switched on again here.",
            note: "Please write to the sender of the email.",
        },
        unnamed: Message {
            heading: "You are still unsubscribed",
            lead: "You left so many mailings that these emails{sender} cannot be switched on again here.",
            note: "Please write to the sender of the email.",
        },
    },
    wrong_link: Message {
        heading: "This link does not work",
        lead: "Part of the link may be missing. Please open it again from the email.",
        note: "If that does not help, please write to the sender of the email.",
    },
    unavailable: Message {
        heading: "Please try again later",
        lead: "We cannot handle your request right now. Nothing has been changed.",
        note: "",
    },
    unknown: Message {
        heading: "Please try again",
        lead: "Something went wrong, and we do not know whether your choice was saved.",
        note: "If it was, doing it again does no harm.",
    },
    mistake: "Was this a mistake?",
    unsubscribe: "Unsubscribe",
    resubscribe: "Subscribe again",
    try_again: "Try again",
};
