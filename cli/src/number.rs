//! A whole number on the command line.

use std::fmt::Display;
use std::str::FromStr;

/// Returns a parser of whole numbers between two bounds, which both belong to the numbers.
pub(crate) fn number<N>(least: N, most: N) -> impl Fn(&str) -> Result<N, String> + Clone + Send + Sync + 'static
where
    N: Copy + Display + FromStr + PartialOrd + Send + Sync + 'static,
{
    move |text| match text.parse() {
        Ok(number) if least <= number && number <= most => Ok(number),
        _ => Err(format!("give a whole number from {least} to {most}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_the_numbers_between_the_bounds_and_names_the_bounds_otherwise() {
        let port = number(5_u16, 90);
        for (text, is) in [("5", 5), ("90", 90), ("07", 7)] {
            assert_eq!(port(text), Ok(is), "{text}");
        }
        for wrong in ["", "x", "4", "91", "-5", "7.5", "99999999999999999999", "７"] {
            assert_eq!(
                port(wrong),
                Err("give a whole number from 5 to 90".to_owned()),
                "{wrong}"
            );
        }
    }
}
