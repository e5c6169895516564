//! The operation of a method and a path.

use percent_encoding::percent_decode_str;

use crate::fault::{ApiFault, FaultKind};

/// An operation that Okite carries out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `SendEmail`
    SendEmail,
    /// `GetAccount`
    GetAccount,
    /// `PutSuppressedDestination`
    PutSuppressed,
    /// `ListSuppressedDestinations`
    ListSuppressed,
    /// `GetSuppressedDestination` of the address
    GetSuppressed(String),
    /// `DeleteSuppressedDestination` of the address
    DeleteSuppressed(String),
    /// `ListEmailIdentities`, whose parameters are in the query
    ListIdentitiesByQuery,
    /// `ListEmailIdentities`, whose parameters are in the body
    ListIdentitiesByBody,
    /// `GetEmailIdentity` of the name
    GetIdentity(String),
}

/// The answers to operations that are not carried out, by the text that their paths begin with.
const REFUSED: [(&str, &str); 6] = [
    (
        "outbound-bulk-emails",
        "SendBulkEmail is not supported: render each mail and send it with SendEmail.",
    ),
    (
        "templates",
        "Templates are not supported: render the mail in the application and send it with SendEmail.",
    ),
    (
        "custom-verification-email-templates",
        "Templates are not supported: render the mail in the application and send it with SendEmail.",
    ),
    (
        "identities",
        "Identities cannot be changed through Okite: use Amazon SES itself.",
    ),
    (
        "configuration-sets",
        "Configuration sets cannot be seen or changed through Okite, which sends with its own.",
    ),
    (
        "account",
        "The account's settings cannot be changed through Okite: use Amazon SES itself.",
    ),
];

impl Operation {
    /// Finds the operation of a method and a path, whether the path is still encoded or not.
    ///
    /// # Errors
    /// [`FaultKind::UnknownOperation`], with the remedy.
    pub fn of(method: &str, path: &str) -> Result<Self, ApiFault> {
        let path = path.trim_matches('/');
        let rest = path.strip_prefix("v2/email/").unwrap_or_default();
        let segments: Vec<&str> = rest.split('/').collect();
        match (method, &segments[..]) {
            ("POST", ["outbound-emails"]) => Ok(Self::SendEmail),
            ("GET", ["account"]) => Ok(Self::GetAccount),
            ("PUT", ["suppression", "addresses"]) => Ok(Self::PutSuppressed),
            ("GET", ["suppression", "addresses"]) => Ok(Self::ListSuppressed),
            ("GET", ["suppression", "addresses", address]) => Ok(Self::GetSuppressed(decoded(address))),
            ("DELETE", ["suppression", "addresses", address]) => Ok(Self::DeleteSuppressed(decoded(address))),
            // Older SDKs list identities by GET; newer ones POST to a path of its own.
            ("GET", ["identities"]) => Ok(Self::ListIdentitiesByQuery),
            ("POST", ["list-identities"]) => Ok(Self::ListIdentitiesByBody),
            ("GET", ["identities", name]) => Ok(Self::GetIdentity(decoded(name))),
            _ => Err(unknown(&segments)),
        }
    }
}

fn unknown(segments: &[&str]) -> ApiFault {
    let first = segments.first().copied().unwrap_or_default();
    // Newer SDKs POST to paths such as `list-configuration-sets`.
    let first = ["list-", "update-"]
        .iter()
        .find_map(|verb| first.strip_prefix(verb))
        .unwrap_or(first);
    let refused = REFUSED.iter().find(|(begins_with, _)| *begins_with == first);
    let remedy = refused.map_or(
        "Okite carries out SendEmail, GetAccount, the operations of the suppression list, GetEmailIdentity and \
         ListEmailIdentities of this API. Use Amazon SES itself for others.",
        |(_, remedy)| remedy,
    );
    ApiFault::new(FaultKind::UnknownOperation, remedy)
}

/// Decodes a segment. API Gateway may have decoded it already; decoding twice does not change usual addresses.
fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_operations_by_method_and_path() {
        let address = || "a+b@example.net".to_owned();
        for (method, path, operation) in [
            ("POST", "/v2/email/outbound-emails", Operation::SendEmail),
            ("POST", "/v2/email/outbound-emails/", Operation::SendEmail),
            ("GET", "/v2/email/account", Operation::GetAccount),
            ("PUT", "/v2/email/suppression/addresses", Operation::PutSuppressed),
            ("GET", "/v2/email/suppression/addresses", Operation::ListSuppressed),
            (
                "GET",
                "/v2/email/suppression/addresses/a%2Bb%40example.net",
                Operation::GetSuppressed(address()),
            ),
            (
                "DELETE",
                "/v2/email/suppression/addresses/a+b@example.net",
                Operation::DeleteSuppressed(address()),
            ),
            ("GET", "/v2/email/identities", Operation::ListIdentitiesByQuery),
            ("POST", "/v2/email/list-identities", Operation::ListIdentitiesByBody),
            (
                "GET",
                "/v2/email/identities/example.com",
                Operation::GetIdentity("example.com".to_owned()),
            ),
        ] {
            assert_eq!(Operation::of(method, path), Ok(operation), "{method} {path}");
        }
    }

    #[test]
    fn refuses_others_with_a_remedy() {
        for (method, path, words) in [
            ("POST", "/v2/email/outbound-bulk-emails", "SendBulkEmail"),
            ("GET", "/v2/email/templates/a", "Templates"),
            ("POST", "/v2/email/identities", "Identities"),
            ("PUT", "/v2/email/account/sending", "settings"),
            ("GET", "/v2/email/configuration-sets", "Configuration sets"),
            ("POST", "/v2/email/list-configuration-sets", "Configuration sets"),
            ("POST", "/v2/email/update-configuration-sets", "Configuration sets"),
            ("GET", "/v2/email/contact-lists", "Okite carries out"),
            ("GET", "/v2/email", "Okite carries out"),
            ("GET", "/outbound-emails", "Okite carries out"),
            ("DELETE", "/v2/email/outbound-emails", "Okite carries out"),
        ] {
            let fault = Operation::of(method, path).unwrap_err();
            assert_eq!(fault.kind, FaultKind::UnknownOperation);
            assert!(fault.message.contains(words), "{method} {path}: {}", fault.message);
        }
    }
}
