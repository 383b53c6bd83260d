//! The programs of a platform.

/// One of the services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    /// Domains, accounts, sessions, budgets.
    Directory,
    /// Mailboxes.
    Mailstore,
    /// The queue.
    Outbound,
    /// SMTP.
    SmtpIngress,
    /// IMAP.
    ImapGateway,
    /// POP3.
    Pop3Gateway,
}

impl Program {
    /// All of them, in the order of their dependencies.
    pub const ALL: [Self; 6] = [
        Self::Directory,
        Self::Mailstore,
        Self::Outbound,
        Self::SmtpIngress,
        Self::ImapGateway,
        Self::Pop3Gateway,
    ];

    /// The name of the process.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::Mailstore => "mailstore",
            Self::Outbound => "outbound",
            Self::SmtpIngress => "smtp-ingress",
            Self::ImapGateway => "imap-gateway",
            Self::Pop3Gateway => "pop3-gateway",
        }
    }

    /// The name of the binary.
    #[must_use]
    pub fn binary(self) -> String {
        format!("staffetta-{}", self.name())
    }

    /// Where it serves gRPC, if it does.
    pub(super) const fn grpc_port(self) -> u16 {
        7000 + self as u16
    }

    /// Where it serves probes and metrics.
    pub(super) const fn health_port(self) -> u16 {
        8000 + self as u16
    }
}
