//! The language of the page.

/// A language that the page is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// English.
    English,
}

impl Language {
    /// Returns the language that the reader's browser prefers, by the header `Accept-Language`.
    pub(crate) fn of(_accept_language: Option<&str>) -> Self {
        Self::English
    }

    /// Returns the tag of the language in HTML (BCP 47).
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
        }
    }
}
