//! SES's id of a mail.

use jiff::Timestamp;

use crate::time::{EARLIEST, LATEST};

/// How many digits of the id are its region and its time.
const DIGITS: usize = 16;
/// How many digits of these are the region.
const REGION: usize = 4;

/// Reads the time at which SES took a mail from SES's id of it, such as `0100019b0a1b2c3d-…-000000`: the milliseconds
/// since 1970 behind the region. AWS does not document the form. Returns `None` if an id has another one.
#[must_use]
pub fn time(ses_id: &str) -> Option<Timestamp> {
    let (first, _) = ses_id.split_once('-')?;
    let is_hex = first.len() == DIGITS && first.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digits = first.get(REGION..).filter(|_| is_hex)?;
    let at = Timestamp::from_millisecond(i64::from_str_radix(digits, 16).ok()?).ok()?;
    (EARLIEST..=LATEST).contains(&at).then_some(at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_time_in_an_example_of_aws_is_that_of_its_signature() {
        // The header of https://docs.aws.amazon.com/ses/latest/dg/receiving-email-notifications-examples.html has both.
        let id = "0000014fbe1c09cf-7cb9f704-7531-4e53-89a1-5fa9744f5eb6-000000";
        assert_eq!(time(id).unwrap().as_second(), 1_442_003_552);
        let id = "0100019b0a1b2c3d-00000000-0000-0000-0000-000000000000-000000";
        assert_eq!(time(id).unwrap().to_string(), "2025-12-10T21:11:51.613Z");
    }

    #[test]
    fn an_id_of_another_form_has_no_time() {
        for id in [
            "",
            "-",
            "m-1",
            "EXAMPLE7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000",
            "0100019b0a1b2c3d",
            "0100019b0a1b2c3-0",
            "0100019b0a1b2c3d0-0",
            "0100+19b0a1b2c3d-0",
            "ü00019b0a1b2c3d-0",
            "0100ffffffffffff-0",
        ] {
            assert_eq!(time(id), None, "{id}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,40}") {
            let _ = time(&text);
        }
    }
}
