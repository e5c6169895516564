//! Authenticates a request: by the signature of an AWS SDK, or by an API key as it is.

use aws::{ApiKeys, KnownApiKeys};
use domain::api_key::{ApiKey, ApiKeyRecord, KeyPermission, id_of_access_key};
use jiff::Timestamp;
use runtime::clock::Clock;
use sending::Deadlines;

use crate::credentials::Credentials;
use crate::fault::{ApiFault, FaultKind};
use crate::request::ApiRequest;
use crate::signature::{Signature, SignatureError};

/// Checks credentials.
#[derive(Debug)]
pub(crate) struct Authentication {
    keys: KnownApiKeys,
    /// Whether the clock of local AWS was set forward. The clients sign by the machine's clock, so the age of a
    /// signature then says nothing.
    clock_is_moved: bool,
}

impl Authentication {
    pub(crate) fn new(keys: ApiKeys, clock: Clock) -> Self {
        Self {
            keys: KnownApiKeys::new(keys),
            clock_is_moved: clock.is_moved(),
        }
    }

    /// Returns the record of the API key that the request proves to have.
    pub(crate) async fn authenticate(
        &self,
        request: &ApiRequest,
        deadlines: &Deadlines,
    ) -> Result<ApiKeyRecord, ApiFault> {
        let now = deadlines.arrived;
        let refused = |error: SignatureError| ApiFault::from(error).at(now);
        match Credentials::read(&request.signed()).map_err(refused)? {
            Credentials::ApiKey(key) => {
                let unknown = || refused(SignatureError::UnknownAccessKey);
                let key = ApiKey::parse(&key).map_err(|_| unknown())?;
                let record = self.find(key.id(), deadlines).await?;
                record.filter(|record| record.admits(&key)).ok_or_else(unknown)
            }
            Credentials::Signature(signature) => {
                let record = match id_of_access_key(signature.access_key_id()) {
                    Some(id) => self.find(id, deadlines).await?,
                    None => None,
                };
                self.verified(request, &signature, record, now).map_err(refused)
            }
        }
    }

    /// Returns the record if the request was signed with its secret.
    fn verified(
        &self,
        request: &ApiRequest,
        signature: &Signature,
        record: Option<ApiKeyRecord>,
        now: Timestamp,
    ) -> Result<ApiKeyRecord, SignatureError> {
        let record = record.ok_or(SignatureError::UnknownAccessKey)?;
        let secret = record.secret_access_key.as_deref();
        let secret = secret.ok_or(SignatureError::UnknownAccessKey)?;
        signature.verify(&request.signed(), secret, (!self.clock_is_moved).then_some(now))?;
        Ok(record)
    }

    async fn find(&self, id: &str, deadlines: &Deadlines) -> Result<Option<ApiKeyRecord>, ApiFault> {
        let found = self.keys.find(id, deadlines.arrived);
        Ok(deadlines.before_answering(found).await??)
    }
}

/// Refuses a key that may only send.
pub(crate) fn check_full(api_key: &ApiKeyRecord) -> Result<(), ApiFault> {
    match api_key.permission {
        KeyPermission::Full => Ok(()),
        KeyPermission::Sending => Err(ApiFault::new(
            FaultKind::AccessDenied,
            "The API key may only send mail. The suppression list needs a key with full permission: make one with \
             `okite keys create --permission full --aws`.",
        )),
    }
}
