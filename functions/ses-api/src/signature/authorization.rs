//! The header `authorization` of a signed request.

use sigv4::ALGORITHM;

use super::error::SignatureError;

/// The longest access key id. AWS's own have 16 to 128 characters.
const ACCESS_KEY_ID_MAX: usize = 128;

/// The parts of `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Authorization {
    pub(super) access_key_id: String,
    /// The day of the signature, as `20260131`.
    pub(super) date: String,
    pub(super) region: String,
    pub(super) service: String,
    /// The names of the signed headers, in lower case.
    pub(super) signed_headers: Vec<String>,
    /// The signature in hexadecimal.
    pub(super) signature: String,
}

impl Authorization {
    pub(super) fn parse(header: &[u8]) -> Result<Self, SignatureError> {
        let header = std::str::from_utf8(header).map_err(|_| SignatureError::Incomplete("Credential"))?;
        let (algorithm, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        match algorithm {
            ALGORITHM => {}
            _ if algorithm.starts_with("AWS4-ECDSA") => return Err(SignatureError::AsymmetricSignature),
            _ => return Err(SignatureError::OtherScheme),
        }
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for part in rest.split(',') {
            let (name, value) = part
                .trim_matches(' ')
                .split_once('=')
                .ok_or(SignatureError::Incomplete("Credential"))?;
            let place = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => return Err(SignatureError::UnknownPart),
            };
            if place.replace(value).is_some() {
                return Err(SignatureError::UnknownPart);
            }
        }
        let credential = credential.ok_or(SignatureError::Incomplete("Credential"))?;
        let [access_key_id, date, region, service, "aws4_request"] = credential.split('/').collect::<Vec<_>>()[..]
        else {
            return Err(SignatureError::InvalidCredential);
        };
        if access_key_id.is_empty() || access_key_id.len() > ACCESS_KEY_ID_MAX {
            return Err(SignatureError::InvalidCredential);
        }
        let signed_headers = signed_headers.ok_or(SignatureError::Incomplete("SignedHeaders"))?;
        Ok(Self {
            access_key_id: access_key_id.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed_headers: signed_headers.split(';').map(str::to_owned).collect(),
            signature: signature.ok_or(SignatureError::Incomplete("Signature"))?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(header: &str) -> Result<Authorization, SignatureError> {
        Authorization::parse(header.as_bytes())
    }

    #[test]
    fn takes_the_parts_in_any_order_with_and_without_spaces() {
        let wanted = parse(
            "AWS4-HMAC-SHA256 Credential=ok_1/20260131/eu-west-1/ses/aws4_request, SignedHeaders=host;x-amz-date, \
             Signature=ab",
        );
        let wanted = wanted.map_err(|error| error.to_string()).unwrap();
        assert_eq!(wanted.signed_headers, ["host", "x-amz-date"]);
        let scope = [wanted.date.as_str(), &wanted.region, &wanted.service];
        assert_eq!(scope, ["20260131", "eu-west-1", "ses"]);
        for header in [
            "AWS4-HMAC-SHA256 Credential=ok_1/20260131/eu-west-1/ses/aws4_request,SignedHeaders=host;x-amz-date,Signature=ab",
            " AWS4-HMAC-SHA256   Signature=ab, SignedHeaders=host;x-amz-date,  Credential=ok_1/20260131/eu-west-1/ses/aws4_request ",
        ] {
            assert!(parse(header).is_ok_and(|found| found == wanted), "{header}");
        }
    }

    #[test]
    fn names_what_is_wrong() {
        use SignatureError::*;
        let long = format!(
            "AWS4-HMAC-SHA256 Credential={}/d/r/ses/aws4_request, SignedHeaders=host, Signature=1",
            "a".repeat(129)
        );
        for (header, error) in [
            ("Bearer ok_1_s", OtherScheme),
            ("", OtherScheme),
            ("AWS AKID:sig", OtherScheme),
            ("AWS4-ECDSA-P256-SHA256 Credential=a", AsymmetricSignature),
            ("AWS4-HMAC-SHA256", Incomplete("Credential")),
            (
                "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=1",
                Incomplete("Credential"),
            ),
            (
                "AWS4-HMAC-SHA256 Credential=a/d/r/ses/aws4_request, Signature=1",
                Incomplete("SignedHeaders"),
            ),
            (
                "AWS4-HMAC-SHA256 Credential=a/d/r/ses/aws4_request, SignedHeaders=host",
                Incomplete("Signature"),
            ),
            (
                "AWS4-HMAC-SHA256 Credential=a/d/r/ses, SignedHeaders=host, Signature=1",
                InvalidCredential,
            ),
            (
                "AWS4-HMAC-SHA256 Credential=/d/r/ses/aws4_request, SignedHeaders=host, Signature=1",
                InvalidCredential,
            ),
            (
                "AWS4-HMAC-SHA256 Credential=a/b/d/r/ses/aws4_request, SignedHeaders=host, Signature=1",
                InvalidCredential,
            ),
            ("AWS4-HMAC-SHA256 Credential=a, Credential=b", UnknownPart),
            ("AWS4-HMAC-SHA256 Credential=a, Other=b", UnknownPart),
            (&long, InvalidCredential),
        ] {
            assert!(parse(header).is_err_and(|found| found == error), "{header}");
        }
        assert!(Authorization::parse(b"AWS4-HMAC-SHA256 \xff").is_err());
    }
}
