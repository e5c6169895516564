//! An API key as a request carries it.

/// Returns the key in `Bearer <key>`, a value of the header `authorization`.
#[must_use]
pub fn bearer(header: &str) -> Option<&str> {
    let (scheme, key) = header.trim().split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_key_out_of_the_header() {
        assert_eq!(bearer("Bearer ok_1_s"), Some("ok_1_s"));
        assert_eq!(bearer("bearer   ok_1_s "), Some("ok_1_s"));
        for header in ["", "Bearer", "Bearer ", "Basic ok_1_s", "ok_1_s"] {
            assert_eq!(bearer(header), None, "{header}");
        }
    }
}
