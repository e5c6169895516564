//! x
#[cfg(test)]
mod receiver;
mod request;
/// x
pub async fn run() -> Result<(), lambda_runtime::Error> {
    Ok(())
}
