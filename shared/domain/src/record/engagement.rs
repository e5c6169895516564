//! The opening of a mail and the click on a link, as the record of the mail has them.

use std::collections::BTreeMap;

/// An opening of a mail, or a click on one of its links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Engagement {
    /// The visitor. An IP address and a `User-Agent` are personal data: they are for the table, not for a log.
    pub visit: Visit,
    /// The link, as it stood in the mail. An opening has none.
    pub link: Option<String>,
    /// The tags that the author of the mail gave the link (`ses:tags`), each with its first value.
    pub link_tags: BTreeMap<String, String>,
}

/// A visitor who opened a mail or followed a link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visit {
    /// The IP address of the visitor, or of a proxy.
    pub ip_address: Option<String>,
    /// The `User-Agent` of the visitor.
    pub user_agent: Option<String>,
}
