//! The sentences in Korean, in the formal form (합니다체).

use super::{About, Message, Words};

const NOTHING_ELSE: &str = "주문 확인이나 비밀번호 재설정 등 다른 메일에는 영향이 없습니다.";
const ON_ITS_WAY: &str = "이미 발송된 메일은 도착할 수 있습니다.";

pub(super) static WORDS: Words = Words {
    around_sender: ("", "에서 보내는 "),
    ask: About {
        named: Message {
            heading: "‘{topic}’ 메일 수신을 거부하시겠습니까?",
            lead: "수신을 거부하시면 {sender}‘{topic}’ 메일을 더 이상 받지 않게 됩니다.",
            note: NOTHING_ELSE,
        },
        unnamed: Message {
            heading: "메일 수신을 거부하시겠습니까?",
            lead: "수신을 거부하시면 {sender}이러한 메일을 더 이상 받지 않게 됩니다.",
            note: NOTHING_ELSE,
        },
    },
    left: About {
        named: Message {
            heading: "수신 거부가 완료되었습니다",
            lead: "앞으로 {sender}‘{topic}’ 메일을 받지 않게 됩니다.",
            note: ON_ITS_WAY,
        },
        unnamed: Message {
            heading: "수신 거부가 완료되었습니다",
            lead: "앞으로 {sender}이러한 메일을 받지 않게 됩니다.",
            note: ON_ITS_WAY,
        },
    },
    came_back: About {
        named: Message {
            heading: "다시 구독되었습니다",
            lead: "{sender}‘{topic}’ 메일을 다시 받으실 수 있습니다.",
            note: "",
        },
        unnamed: Message {
            heading: "다시 구독되었습니다",
            lead: "{sender}메일을 다시 받으실 수 있습니다.",
            note: "",
        },
    },
    cannot_come_back: About {
        named: Message {
            heading: "다시 구독할 수 없습니다",
            lead: "수신 거부한 메일 종류가 너무 많아 {sender}‘{topic}’ 메일을 여기에서 다시 구독하실 수 없습니다.",
            note: "다시 받으시려면 메일을 보낸 곳에 문의해 주시기 바랍니다.",
        },
        unnamed: Message {
            heading: "다시 구독할 수 없습니다",
            lead: "수신 거부한 메일 종류가 너무 많아 {sender}메일을 여기에서 다시 구독하실 수 없습니다.",
            note: "다시 받으시려면 메일을 보낸 곳에 문의해 주시기 바랍니다.",
        },
    },
    wrong_link: Message {
        heading: "사용할 수 없는 링크입니다",
        lead: "링크의 일부가 누락되었을 수 있습니다. 메일에 있는 링크를 다시 열어 주시기 바랍니다.",
        note: "문제가 계속되면 메일을 보낸 곳에 문의해 주시기 바랍니다.",
    },
    unavailable: Message {
        heading: "잠시 후 다시 시도해 주십시오",
        lead: "지금은 요청을 처리할 수 없습니다. 변경된 내용은 없습니다.",
        note: "",
    },
    unknown: Message {
        heading: "다시 시도해 주십시오",
        lead: "요청이 처리되었는지 확인할 수 없습니다.",
        note: "이미 처리된 경우에도 다시 시도하셔도 됩니다.",
    },
    mistake: "실수로 누르셨다면 되돌리실 수 있습니다.",
    unsubscribe: "수신 거부",
    resubscribe: "다시 구독",
    try_again: "다시 시도",
};
