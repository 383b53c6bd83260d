//! `staffetta queue`.

mod view;

use serde::Serialize;
use staffetta_outbound_api::grpc::QueueClient;
use staffetta_outbound_api::{Queue as _, QueueFilter, TransactionId};
use uuid::Uuid;

pub(super) use self::view::Stats;
use self::view::{Message, Recipient};
use crate::arguments::{QueueCommand, QueueList};
use crate::error::CtlError;
use crate::output::{Column, Output, count, section, time};
use crate::platform::{Platform, Service};
use crate::size::human;

#[derive(Serialize)]
struct Retried {
    deliveries: u64,
}

#[derive(Serialize)]
struct Cancelled {
    recipients: u64,
}

pub(super) async fn run(
    command: QueueCommand,
    platform: &Platform,
    output: &mut Output<'_>,
) -> Result<(), CtlError> {
    let queue = platform.queue()?;
    match command {
        QueueCommand::List(arguments) => list(&arguments, &queue, output).await,
        QueueCommand::Show(arguments) => show(arguments.transaction, &queue, output).await,
        QueueCommand::Retry(arguments) => {
            let transaction = arguments.transaction.map(TransactionId);
            let deliveries = queue.blame(queue.port.retry(transaction).await)?;
            let sentence = match deliveries {
                0 => "nothing waits: 0 deliveries made due".to_owned(),
                deliveries => format!("{} due now", count(deliveries, "delivery")),
            };
            output.done(&Retried { deliveries }, &sentence)
        }
        QueueCommand::Cancel(arguments) => {
            let cancelled = queue.port.cancel(TransactionId(arguments.transaction)).await;
            let recipients = queue.blame(cancelled)?;
            output.done(&Cancelled { recipients }, &format!("dropped {}", count(recipients, "recipient")))
        }
        QueueCommand::Stats => {
            let stats = Stats::from(queue.blame(queue.port.stats().await)?);
            output.show(&stats, &stats.fields(), String::new)
        }
    }
}

async fn list(
    arguments: &QueueList,
    queue: &Service<QueueClient>,
    output: &mut Output<'_>,
) -> Result<(), CtlError> {
    let limit = if arguments.limit == 0 { usize::MAX } else { arguments.limit };
    let mut messages: Vec<Message> = Vec::new();
    let mut after = None;
    while messages.len() < limit {
        let most = u32::try_from(limit - messages.len()).unwrap_or(u32::MAX).min(QueueFilter::MAX_LIMIT);
        let filter = QueueFilter {
            sender: arguments.from.clone(),
            recipient_domain: arguments.to.clone(),
            after,
            limit: most,
        };
        let page = queue.blame(queue.port.list(&filter).await)?;
        let is_last = page.len() < most as usize;
        after = page.last().map(|message| message.transaction);
        messages.extend(page.into_iter().map(|message| Message::new(message, false)));
        if is_last {
            break;
        }
    }
    output.list(
        &messages,
        &[
            Column::left("TRANSACTION", |message: &Message| message.transaction.clone()),
            Column::left("RECEIVED", |message| time(message.received_at)),
            Column::right("SIZE", |message| human(message.size)),
            Column::left("SENDER", Message::sender),
            Column::left("WAITING", Message::waiting),
            Column::left("NEXT", Message::next),
            Column::left("LAST REPLY", Message::last_reply),
        ],
    )
}

async fn show(
    transaction: Uuid,
    queue: &Service<QueueClient>,
    output: &mut Output<'_>,
) -> Result<(), CtlError> {
    let shown = queue.blame(queue.port.show(TransactionId(transaction)).await)?;
    let message = Message::new(shown, true);
    let fields = [
        ("transaction", message.transaction.clone()),
        ("sender", message.sender()),
        ("size", human(message.size)),
        ("received", time(message.received_at)),
        ("bounces at", time(message.expires_at)),
    ];
    let recipients = [
        Column::left("ADDRESS", |recipient: &Recipient| recipient.address.clone()),
        Column::left("STATUS", |recipient| recipient.status().to_owned()),
        Column::right("ATTEMPTS", |recipient| recipient.attempts.to_string()),
        Column::left("NEXT", Recipient::next),
        Column::left("LAST REPLY", Recipient::last_reply),
    ];
    output.show(&message, &fields, || {
        section("recipients", &message.recipients, &recipients)
            + &section("attempts", &message.attempt_lines(), &view::ATTEMPT_COLUMNS)
    })
}
