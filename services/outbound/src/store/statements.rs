//! The statements, one file each.

macro_rules! statements {
    ($($name:ident = $file:literal;)+) => {
        $(pub(super) const $name: &str = include_str!(concat!("../sql/", $file, ".sql"));)+
    };
}

statements! {
    ACCEPT = "queued/accept";
    INSERT_BODIES = "body/insert";
    BODY_ADDRESS = "body/address";
    WAKE = "destination/wake";
    DUE_IN = "destination/due_in";
    HURRY = "destination/hurry";
    LOCK_DUE = "destination/lock_due";
    LOCK_IDLE = "destination/lock_idle";
    CALM = "destination/calm";
    NEXT_DUE = "destination/next_due";
    PRUNE = "destination/prune";
    CLAIM = "delivery/claim";
    RENEW = "delivery/renew";
    RELEASE = "delivery/release";
    LOCK_DELIVERY = "delivery/lock";
    RECORD = "delivery/record";
    INSERT_ATTEMPT = "delivery/insert_attempt";
    COUNT_WAITING = "delivery/waiting";
    DEFER = "delivery/defer";
    DELETE_DELIVERY = "delivery/delete";
    RETRY = "delivery/retry";
    CANCEL = "delivery/cancel";
    FINISH = "queued/finish";
    PURGE = "queued/purge";
    LIST = "queued/list";
    SHOW = "queued/show";
    RECIPIENTS = "queued/recipients";
    ATTEMPTS = "queued/attempts";
    LOCK_MESSAGE = "queued/lock";
    STATS = "queued/stats";
}
