//! The reasons for a suppression, and the registers that events are written to.

/// The reason that an address is suppressed. Soft bounces have a set of times; each other reason has a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SuppressionReason {
    /// A hard bounce: the address does not accept mail.
    Bounce,
    /// The recipient reported a mail as spam.
    Complaint,
    /// The receiver blocked the sender, not the address. It suppresses for a day.
    Blocked,
    /// Repeated soft bounces. They suppress for some days, and for bulk mail only.
    Soft,
    /// An operator or the application added the address to the list.
    Manual,
    /// The entry of the address, or a part of it, cannot be read. Its writer may have meant to suppress the address.
    Unreadable,
    /// The recipient left the topic of the mail. Mail of another topic, or of none, is not suppressed.
    Unsubscribed,
}

impl SuppressionReason {
    /// Returns the Resend API's term for the cause: `bounce`, `complaint` or `manual`.
    #[must_use]
    pub fn origin(self) -> &'static str {
        match self {
            Self::Bounce | Self::Blocked | Self::Soft => "bounce",
            Self::Complaint => "complaint",
            // An operator has to look at an entry that cannot be read.
            // The API of Resend has no fourth word, and a person has asked not to get the topic.
            Self::Manual | Self::Unreadable | Self::Unsubscribed => "manual",
        }
    }

    /// Returns the name that the API, items and the attributes of the register use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bounce => "bounce",
            Self::Complaint => "complaint",
            Self::Blocked => "blocked",
            Self::Soft => "soft",
            Self::Manual => "manual",
            Self::Unreadable => "unreadable",
            Self::Unsubscribed => "unsubscribed",
        }
    }
}

/// The register that an event is written to: that of a reason, or that of an echo.
///
/// SES sends an echo when it drops a mail because the address is on a suppression list of the account. An echo is no
/// new fact about the address. SES sends it as long as its list has the address, even after Okite lifted it. SES also
/// lists addresses that were only blocked. So echoes have registers of their own, which apply only without better
/// evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Register {
    /// The register of a reason.
    Of(SuppressionReason),
    /// SES's list has the address because of a bounce.
    BounceEcho,
    /// SES's list has the address because of a complaint.
    ComplaintEcho,
}

impl Register {
    /// The registers that keep one time. Soft bounces are a set.
    pub const WITH_ONE_TIME: [Self; 6] = [
        Self::Of(SuppressionReason::Bounce),
        Self::Of(SuppressionReason::Complaint),
        Self::Of(SuppressionReason::Blocked),
        Self::Of(SuppressionReason::Manual),
        Self::BounceEcho,
        Self::ComplaintEcho,
    ];

    /// Returns the name of the register's attributes in items.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Of(reason) => reason.as_str(),
            Self::BounceEcho => "bounce_echo",
            Self::ComplaintEcho => "complaint_echo",
        }
    }
}

impl From<SuppressionReason> for Register {
    fn from(reason: SuppressionReason) -> Self {
        Self::Of(reason)
    }
}
