//! The choice in the body of a request: a form as browsers and mailbox providers send it.
//!
//! RFC 8058 allows both types of a form, `application/x-www-form-urlencoded` and `multipart/form-data`.

/// The field of a mailbox provider, and of the page's button.
pub(super) const ONE_CLICK: (&str, &str) = ("List-Unsubscribe", "One-Click");
/// The field of the page's button to come back.
pub(super) const COME_BACK: (&str, &str) = ("okite", "resubscribe");

/// The choice of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FormChoice {
    /// To leave the topic.
    Leave,
    /// To come back to it.
    ComeBack,
}

/// Reads the choice. Returns `None` if the body has none.
pub(super) fn choice(content_type: Option<&str>, body: &[u8]) -> Option<FormChoice> {
    let is_multipart =
        content_type.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("multipart/"));
    let fields: Vec<(String, String)> = if is_multipart {
        multipart(&String::from_utf8_lossy(body))
    } else {
        form_urlencoded::parse(body).into_owned().collect()
    };
    let has = |(name, value): (&str, &str)| {
        fields
            .iter()
            .any(|(key, text)| key.eq_ignore_ascii_case(name) && text.trim().eq_ignore_ascii_case(value))
    };
    // A body that says both comes from no page of ours. To leave is the safe choice.
    if has(ONE_CLICK) {
        Some(FormChoice::Leave)
    } else if has(COME_BACK) {
        Some(FormChoice::ComeBack)
    } else {
        None
    }
}

/// Reads the fields of a multipart form: in each part a header line with the name, an empty line, and the value.
fn multipart(body: &str) -> Vec<(String, String)> {
    let (mut fields, mut name, mut is_value) = (Vec::new(), None, false);
    for line in body.lines() {
        if line.starts_with("--") {
            (name, is_value) = (None, false);
        } else if is_value {
            if let Some(name) = name.take() {
                fields.push((name, line.to_owned()));
            }
        } else if line.is_empty() {
            is_value = true;
        } else if line.to_ascii_lowercase().starts_with("content-disposition:") {
            let quoted = line.split_once("name=\"").and_then(|(_, rest)| rest.split_once('"'));
            name = quoted.map(|(name, _)| name.to_owned());
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_both_types_of_form() {
        let form = Some("application/x-www-form-urlencoded");
        let parts = Some("multipart/form-data; boundary=\"b1\"");
        let one_click =
            "--b1\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b1--\r\n";
        for (kind, body, expected) in [
            (form, "List-Unsubscribe=One-Click", Some(FormChoice::Leave)),
            (None, "List-Unsubscribe=One-Click", Some(FormChoice::Leave)),
            (form, "list-unsubscribe=one-click&x=1", Some(FormChoice::Leave)),
            (form, "okite=resubscribe", Some(FormChoice::ComeBack)),
            (
                form,
                "okite=resubscribe&List-Unsubscribe=One-Click",
                Some(FormChoice::Leave),
            ),
            (parts, one_click, Some(FormChoice::Leave)),
            (
                Some("Multipart/Form-Data; boundary=b1"),
                one_click,
                Some(FormChoice::Leave),
            ),
            (parts, &one_click.replace("\r\n", "\n"), Some(FormChoice::Leave)),
            (parts, &one_click.replace("One-Click", ""), None),
            (form, one_click, None),
            (form, "", None),
            (form, "List-Unsubscribe", None),
            (form, "{\"List-Unsubscribe\":\"One-Click\"}", None),
        ] {
            assert_eq!(choice(kind, body.as_bytes()), expected, "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_body_panics(body in prop::collection::vec(any::<u8>(), 0..200), is_multipart: bool) {
            let kind = is_multipart.then_some("multipart/form-data; boundary=b");
            prop_assert_eq!(choice(kind, &body), None);
        }
    }
}
