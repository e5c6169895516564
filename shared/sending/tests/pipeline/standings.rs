//! What a second request with a key is answered, by what the first one left of each email.

use std::time::Duration;

use domain::idempotency::LEASE;
use sending::NotSent;

use crate::network::{Fate, Fault, On};
use crate::request::{Mail, Request};
use crate::world::{Ended, World};

/// What the first request left of an email.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// SES took it.
    Sent,
    /// Nobody was left to send it to.
    Suppressed,
    /// SES's answer never came.
    Cut,
    /// SES refused it.
    Refused,
    /// It was not attempted, so it has no row.
    Open,
}

const ALL: [Left; 5] = [Left::Sent, Left::Suppressed, Left::Cut, Left::Refused, Left::Open];

impl Left {
    fn mail(self) -> Mail {
        match self {
            Self::Sent | Self::Cut | Self::Refused => Mail::Plain,
            Self::Suppressed => Mail::Nobody,
            Self::Open => Mail::Reject,
        }
    }

    fn frees_key(self) -> bool {
        matches!(self, Self::Refused | Self::Open)
    }
}

/// What the second request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// It has the key as if it were the first.
    Anew,
    /// The first one is at work.
    InFlight,
    /// It attempts what is left.
    Resumes,
}

/// The first request ends, and the second comes within its lease or after it.
#[derive(Clone, Copy, Debug)]
struct Case {
    /// Whether the first request's last word on its key was lost.
    is_let_go_lost: bool,
    is_lease_over: bool,
}

impl Case {
    fn expected(self, left: &[Left]) -> Expected {
        let all = |is: &dyn Fn(Left) -> bool| left.iter().all(|&left| is(left));
        let any_freed = left.iter().any(|left| left.frees_key());
        if !self.is_let_go_lost && all(&Left::frees_key) {
            Expected::Anew
        } else if self.is_lease_over
            || (!self.is_let_go_lost && any_freed)
            // It has an outcome for every email, by their rows.
            || all(&|left| !matches!(left, Left::Cut | Left::Open))
        {
            Expected::Resumes
        } else {
            Expected::InFlight
        }
    }
}

async fn check(world: &World, left: &[Left], case: Case) {
    let name = format!("standing {}", world.new_id());
    let mails: Vec<Mail> = left.iter().map(|left| left.mail()).collect();
    let request = Request::new(Some(&name), &name, &mails);
    let mut first = request.clone();
    for (place, left) in left.iter().enumerate() {
        let fate = match left {
            Left::Cut => Fate::CutBefore,
            Left::Refused => Fate::Refused(400, "MessageRejected", "No"),
            Left::Sent | Left::Suppressed | Left::Open => continue,
        };
        first.faults.push(Fault::always(On::Mail(place), fate));
    }
    if case.is_let_go_lost {
        for operation in ["UpdateItem", "DeleteItem"] {
            first.faults.push(Fault::always(On::Claim(operation), Fate::CutBefore));
        }
    }
    let first = world.submit(&first).await;
    if case.is_lease_over {
        world.advance(LEASE + Duration::from_secs(1));
    }
    let expected = case.expected(left);
    let context = format!("{left:?} {case:?} {expected:?}");

    // Another body has no chance while the key is held, whatever stands in the rows.
    if expected != Expected::Anew {
        let other = Request::new(Some(&name), "another body", &mails);
        assert_eq!(*world.submit(&other).await.only(), Err(NotSent::KeyReused), "{context}");
    }
    let second = world.submit(&request).await;
    for (place, &left) in left.iter().enumerate() {
        let (before, now) = (&first.each()[place], &second.each()[place]);
        let context = format!("{context}: email {place} {now:?}");
        let mails = world.mails(&request.subject(place)).len();
        if expected == Expected::InFlight {
            assert!(matches!(now, Err(NotSent::InFlight { .. })), "{context}");
            assert_eq!(mails, usize::from(left == Left::Sent), "{context}");
            continue;
        }
        match left {
            Left::Sent | Left::Suppressed => assert_eq!(now, before, "{context}"),
            Left::Cut if case.is_lease_over => {
                assert!(matches!(now, Err(NotSent::StillUnknown { .. })), "{context}");
            }
            Left::Cut => assert!(matches!(now, Err(NotSent::InFlight { .. })), "{context}"),
            Left::Refused => assert!(now.is_ok(), "{context}"),
            Left::Open => assert!(matches!(now, Err(NotSent::Invalid(_))), "{context}"),
        }
        assert_eq!(
            mails,
            usize::from(matches!(left, Left::Sent | Left::Refused)),
            "{context}"
        );
    }
    let ids: Vec<_> = id(&first).into_iter().chain(id(&second)).collect();
    if expected != Expected::Anew {
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{context}: {ids:?}");
    }
}

/// The id of the email at place 0, as the outcomes give it.
fn id(ended: &Ended) -> Option<u128> {
    ended.each().iter().enumerate().find_map(|(place, outcome)| {
        let receipt = outcome.as_ref().ok()?;
        Some(receipt.id.as_u128() - u128::try_from(place).unwrap())
    })
}

#[tokio::test]
async fn every_combination_of_left_records_is_answered_by_the_rule() {
    let world = Box::pin(World::start()).await;
    let singles = ALL.iter().map(|&left| vec![left]);
    let pairs = ALL
        .iter()
        .flat_map(|&one| ALL.iter().map(move |&other| vec![one, other]));
    for left in singles.chain(pairs) {
        for is_let_go_lost in [false, true] {
            for is_lease_over in [false, true] {
                let case = Case {
                    is_let_go_lost,
                    is_lease_over,
                };
                Box::pin(check(&world, &left, case)).await;
            }
        }
    }
}

#[tokio::test]
async fn a_key_is_remembered_for_a_day_from_its_last_attempt() {
    let world = Box::pin(World::start()).await;
    let batch = Request::new(Some("expires"), "expires", &[Mail::Plain, Mail::Plain]);
    let refused = Fault::always(On::Mail(1), Fate::Refused(400, "MessageRejected", "No"));
    let first = world.submit(&batch.clone().with(refused)).await;
    world.advance(Duration::from_hours(12));
    let second = world.submit(&batch).await;
    assert_eq!(second.each()[0], first.each()[0]);
    assert!(second.each()[1].is_ok());
    world.advance(Duration::from_hours(12));
    let third = world.submit(&batch).await;
    assert_eq!(third.each(), second.each());
    world.advance(Duration::from_hours(12));
    let fourth = world.submit(&batch).await;
    assert_ne!(fourth.each()[0], first.each()[0]);

    // A key that remembers nothing that was sent begins anew.
    let single = Request::new(Some("anew"), "anew", &[Mail::Plain]);
    let dies = Fault::at(On::Ses, 0, 1, Fate::DiesBefore);
    let row = Fault::at(On::Store, 3, 1, Fate::DiesBefore);
    assert!(
        world
            .submit(&single.clone().with(row).with(dies))
            .await
            .outcomes
            .is_none()
    );
    world.advance(Duration::from_hours(12));
    let second = world.submit(&single).await;
    world.advance(Duration::from_hours(13));
    let third = world.submit(&single).await;
    assert_eq!(third.only(), second.only());
    assert!(second.only().is_ok());
}
