//! Why a bounce happened, and whom that blames.

/// The party that the evidence blames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The recipient's address: it does not take mail.
    Address,
    /// The sender: its reputation, authentication, address, or a rule against it.
    Sender,
    /// This message.
    Message,
    /// The moment: it may work another time.
    Moment,
    /// Nobody: nothing readable says so.
    Nobody,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident $name:literal $blame:ident $words:literal,)+) => {
        /// Why a bounce happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum BounceReason {
            $($(#[$doc])* $variant,)+
        }

        impl BounceReason {
            /// Every reason, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns a stable name, as items, the API and the log have it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// Reads the name.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.as_str() == name)
            }

            /// Returns whom the reason blames.
            #[must_use]
            pub fn blame(self) -> Blame {
                match self {
                    $(Self::$variant => Blame::$blame,)+
                }
            }

            /// Returns the reason in words, to follow "because".
            #[must_use]
            pub fn words(self) -> &'static str {
                match self {
                    $(Self::$variant => $words,)+
                }
            }
        }
    };
}

reasons! {
    /// No such mailbox.
    UserUnknown "user_unknown" Address "the receiving server does not know the mailbox",
    /// The mailbox exists and was switched off.
    MailboxDisabled "mailbox_disabled" Address "the mailbox is disabled",
    /// The person has another address now.
    MailboxMoved "mailbox_moved" Address "the recipient has moved to another address",
    /// The domain does not exist or takes no mail.
    HostUnknown "host_unknown" Address "the recipient's domain does not accept mail",
    /// SES's global suppression list has the address.
    GlobalSuppressionList "global_suppression_list" Address "the global suppression list of SES contains the address",
    /// SES's validation found the address bad.
    AddressValidation "address_validation" Address "the email validation of SES rejected the address",
    /// The mailbox is full.
    MailboxFull "mailbox_full" Moment "the mailbox is full",
    /// More mail at once than the receiver takes.
    TooMuchMail "too_much_mail" Moment "the receiver got too much mail at once",
    /// The receiver wants the mail a second time.
    Greylisted "greylisted" Moment "the receiver uses greylisting",
    /// The receiver refuses for now.
    TemporarilyUnavailable "temporarily_unavailable" Moment "the receiving server or the mailbox is not available now",
    /// The receiver could not be reached in time.
    Network "network" Moment "the receiving server could not be reached in time",
    /// The mail went round in circles.
    Loop "loop" Moment "the mail went round in a loop at the receiver",
    /// Reputation, block lists, spam filters.
    SenderBlocked "sender_blocked" Sender "the receiver blocks the sender",
    /// SPF, DKIM, DMARC.
    SenderAuthentication "sender_authentication" Sender "the receiver could not authenticate the sender",
    /// The sender's own address.
    SenderRefused "sender_refused" Sender "the receiver refuses the sender's address",
    /// A rule of the receiver.
    Policy "policy" Sender "a policy of the receiver forbids the mail",
    /// The server does not serve the recipient's domain for this sender.
    Relaying "relaying" Sender "the receiving server refuses to relay the mail",
    /// The content of the message.
    Content "content" Message "the receiver refuses the content of the message",
    /// The message is too large.
    Size "size" Message "the message is too large",
    /// SMTP was not spoken as the server wants it.
    Protocol "protocol" Message "the servers did not understand each other",
    /// A suppression list of the account.
    AccountSuppressionList "account_suppression_list" Nobody "a suppression list of the account contains the address",
    /// The person unsubscribed from a topic.
    Unsubscribed "unsubscribed" Nobody "the recipient unsubscribed from the topic",
    /// A reply without any server behind it.
    AutomaticReply "automatic_reply" Nobody "no server said anything, as with an automatic reply",
    /// Nothing readable.
    Unknown "unknown" Nobody "nothing in the bounce names a reason",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_snake_case_and_unique() {
        let mut names: Vec<_> = BounceReason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert!(
            names
                .iter()
                .all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
        );
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), BounceReason::ALL.len());
        for reason in BounceReason::ALL {
            assert_eq!(BounceReason::parse(reason.as_str()), Some(*reason));
        }
        assert_eq!(BounceReason::parse("Unknown"), None);
    }
}
