//! The endpoints under `/webhooks`: create, show, change and delete webhooks, and read and replay their events.
//!
//! | module | concept |
//! |---|---|
//! | `body` | a webhook and its health, as the answers show them |
//! | `fields` | reads the bodies of requests |
//! | `address` | checks the URL of a webhook |
//! | `secret` | draws a secret |
//! | `find` | finds a webhook, and an event of it |
//! | `list`, `show`, `create`, `update`, `delete`, `rotate` | the operations on webhooks |
//! | `events`, `event`, `attempts`, `replay` | the operations on the events of one webhook |
//!
//! A webhook of the contract is an endpoint with a URL. The endpoints of `okite listen` have none, and are not shown.

mod address;
mod attempts;
mod body;
mod create;
mod delete;
mod event;
mod events;
mod fields;
mod find;
mod list;
mod replay;
mod rotate;
mod secret;
mod show;
mod update;

pub use address::{RefusedAddress, check as check_webhook_address};
pub(crate) use attempts::attempts;
pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use event::event;
pub(crate) use events::events;
pub(crate) use list::list;
pub(crate) use replay::replay;
pub(crate) use rotate::rotate;
pub(crate) use show::show;
pub(crate) use update::update;
