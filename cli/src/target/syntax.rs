//! The forms of what an option may name in AWS. A value of another form is a typing error, and no reason for a call.

/// The longest name of a stack.
const STACK_NAME_MAX: usize = 128;
/// The longest name of a queue.
const QUEUE_NAME_MAX: usize = 80;

/// Parses the name of a CloudFormation stack, or its ARN.
///
/// # Errors
/// The message for another text.
pub(crate) fn parse_stack(text: &str) -> Result<String, String> {
    let is_id = |text: &str| {
        let resource = text.strip_prefix("arn:").and_then(|rest| rest.splitn(5, ':').last());
        text.contains(":cloudformation:") && resource.is_some_and(|resource| resource.starts_with("stack/"))
    };
    let named = text.strip_prefix(|first: char| first.is_ascii_alphabetic());
    let is_name = named.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
    if (is_name && text.len() <= STACK_NAME_MAX) || is_id(text) {
        return Ok(text.to_owned());
    }
    Err(
        "a stack's name has letters, digits and hyphens, begins with a letter, and has at most 128 characters"
            .to_owned(),
    )
}

/// Parses the URL of an SQS queue.
///
/// # Errors
/// The message for another text.
pub(crate) fn parse_queue(text: &str) -> Result<String, String> {
    let wrong = || {
        "a queue is named by its URL, such as https://sqs.eu-west-1.amazonaws.com/123456789012/NAME. The stack's outputs \
         have it"
            .to_owned()
    };
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .ok_or_else(wrong)?;
    let mut parts = rest.split('/');
    let (host, account, name) = (parts.next(), parts.next(), parts.next());
    let is_host = |host: &str| {
        !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
    };
    let is_account = |account: &str| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = |name: &str| {
        let stem = name.strip_suffix(".fifo").unwrap_or(name);
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !stem.is_empty() && name.len() <= QUEUE_NAME_MAX && stem.bytes().all(is_legal)
    };
    if host.is_some_and(is_host)
        && account.is_some_and(is_account)
        && name.is_some_and(is_name)
        && parts.next().is_none()
    {
        return Ok(text.to_owned());
    }
    Err(wrong())
}

/// Parses the name of an AWS region.
///
/// # Errors
/// The message for another text.
pub(crate) fn parse_region(text: &str) -> Result<String, String> {
    let is_legal = text
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let ends_well = text.ends_with(|last: char| last.is_ascii_digit());
    if is_legal && ends_well && text.matches('-').count() >= 2 {
        return Ok(text.to_owned());
    }
    Err("a region has the form eu-west-1".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_stack_has_a_name_or_an_arn() {
        let longest = "a".repeat(STACK_NAME_MAX);
        let id = "arn:aws:cloudformation:eu-west-1:111111111111:stack/okite/1a2b";
        for good in ["okite", "a", "Mail-2", longest.as_str(), id] {
            assert_eq!(parse_stack(good).as_deref(), Ok(good));
        }
        let too_long = "a".repeat(STACK_NAME_MAX + 1);
        for bad in [
            "",
            "-a",
            "2mail",
            "okite_prod",
            "ok ite",
            "ökite",
            "arn:aws:sns:x",
            too_long.as_str(),
        ] {
            assert!(parse_stack(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_queue_has_a_url() {
        for good in [
            "https://sqs.eu-west-1.amazonaws.com/111111111111/okite-FeedbackDeadLetterQueue-1A2B",
            "https://sqs.cn-north-1.amazonaws.com.cn/111111111111/a_b.fifo",
            "http://127.0.0.1:4566/000000000000/q",
        ] {
            assert_eq!(parse_queue(good).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "foo",
            "arn:aws:sqs:eu-west-1:111111111111:Dead",
            "https://sqs.eu-west-1.amazonaws.com",
            "https://sqs.eu-west-1.amazonaws.com/Dead",
            "https://sqs.eu-west-1.amazonaws.com/111111111111/",
            "https://sqs.eu-west-1.amazonaws.com/11111111111/Dead",
            "https://sqs.eu-west-1.amazonaws.com/111111111111/Dead/x",
            "https://sqs.eu-west-1.amazonaws.com/111111111111/De ad",
            "ftp://sqs.eu-west-1.amazonaws.com/111111111111/Dead",
            "https:///111111111111/Dead",
        ] {
            assert!(parse_queue(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_region_has_words_and_a_number() {
        for good in ["eu-west-1", "us-gov-east-1", "ap-southeast-4"] {
            assert_eq!(parse_region(good).as_deref(), Ok(good));
        }
        for bad in ["", "eu", "eu-west", "EU-WEST-1", "eu west-1", "eu-west-1a", "eu-1"] {
            assert!(parse_region(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic_and_every_good_one_is_kept(text in ".{0,40}") {
            for parse in [parse_stack, parse_queue, parse_region] {
                if let Ok(parsed) = parse(&text) {
                    prop_assert_eq!(parsed, text.clone());
                }
            }
        }
    }
}
