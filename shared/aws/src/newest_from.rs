//! Where a page of a list by age begins.

use uuid::Uuid;

/// The beginning of a page. Ids sort by the time at which they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewestFrom<Id = Uuid> {
    /// At the newest entry.
    Newest,
    /// After this entry, with the older ones.
    After(Id),
    /// Before this entry, with the newer ones.
    Before(Id),
}
