//! staffetta-smtp-ingress
