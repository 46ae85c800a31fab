// SPDX-License-Identifier: Apache-2.0
//! What a client is told of a refusal: 35=8 or 35=9, with 103, 102 and a text whose first word is stable (`controls` 5).
use super::{Edge, GATE_SESSION, Version};
use crate::number;
use crate::order_fields::{COMPANIONS, OrderFields};
use crate::session::{Body, Now, Session};
use pretrade_gate::look::Posture;
use pretrade_gate::text;
use pretrade_records::{Decision, Phase, ReasonCode, Tier};

const OTHER: u32 = 99;

/// OrdRejReason (103) of a refusal.
#[must_use]
pub fn order_reject_reason(decision: &Decision, version: Version, is_tripped_by_model: bool) -> u32 {
    let reason = ReasonCode::try_from(decision.reason).unwrap_or(ReasonCode::Internal);
    let (new, old) = match reason {
        ReasonCode::PartyNotAuthorised => (15, 15),
        ReasonCode::UnknownInstrument => (1, 1),
        ReasonCode::ShortSaleNotPermitted => (22, OTHER),
        ReasonCode::PhaseNotPermitted if is_closed(decision) => (2, 2),
        ReasonCode::PhaseNotPermitted | ReasonCode::UnsupportedOrder => (11, 11),
        ReasonCode::IncorrectQuantity => (13, 13),
        ReasonCode::InvalidPriceIncrement => (18, OTHER),
        ReasonCode::ReferencePriceMissing => (19, OTHER),
        ReasonCode::NotionalExceedsLimit => (20, 3),
        ReasonCode::PriceOutsideCollar | ReasonCode::PriceInsideStandoff | ReasonCode::PriceDrift => (16, OTHER),
        ReasonCode::CreditExceedsLimit | ReasonCode::InsufficientMargin => (25, 3),
        ReasonCode::OrderExceedsLimit
        | ReasonCode::SizeExceedsLiquidity
        | ReasonCode::PositionExceedsLimit
        | ReasonCode::ExposureExceedsLimit
        | ReasonCode::AccumulatedExceedsLimit
        | ReasonCode::ConcentrationExceedsLimit
        | ReasonCode::OpenOrdersExceedLimit => (3, 3),
        ReasonCode::DuplicateOrder | ReasonCode::DuplicateClientOrderId => (6, 6),
        ReasonCode::StaleOrder => (8, 8),
        ReasonCode::SurveillanceBlock => (12, OTHER),
        ReasonCode::UnknownOrder => (5, 5),
        ReasonCode::OrderErrorScore | ReasonCode::ImpactExceedsBudget => (21, OTHER),
        ReasonCode::BreakerTripped if is_tripped_by_model => (21, OTHER),
        _ => (OTHER, OTHER),
    };
    match version {
        Version::Fix50 => new,
        Version::Fix44 => old,
        // 4.2 knows 0 to 8 only.
        Version::Fix42 if matches!(old, 1 | 2 | 3 | 6 | 8) => old,
        Version::Fix42 => 0,
    }
}

fn is_closed(decision: &Decision) -> bool {
    !matches!(Phase::try_from(decision.measured as u8), Ok(Phase::PreOpen | Phase::Auction | Phase::LimitLocked | Phase::Continuous))
}

/// CxlRejReason (102) of a refused replace or cancel.
#[must_use]
pub fn cancel_reject_reason(reason: ReasonCode, version: Version) -> u32 {
    match (reason, version) {
        (ReasonCode::UnknownOrder, _) => 1,
        (ReasonCode::DuplicateClientOrderId | ReasonCode::DuplicateOrder, Version::Fix44 | Version::Fix50) => 6,
        (ReasonCode::PriceOutsideCollar | ReasonCode::PriceInsideStandoff, Version::Fix50) => 8,
        (ReasonCode::InvalidPriceIncrement, Version::Fix50) => 18,
        (_, Version::Fix42) => 2,
        _ => OTHER,
    }
}

/// The order that a report of ours is about, as FIX names it; what is empty is left out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Subject<'a> {
    pub(super) account: &'a [u8],
    pub(super) client_order_id: &'a [u8],
    pub(super) original_client_order_id: &'a [u8],
    pub(super) quantity: &'a [u8],
    pub(super) side: &'a [u8],
    pub(super) symbol: &'a [u8],
}

impl<'a> Subject<'a> {
    pub(super) fn of(bytes: &'a [u8], fields: &OrderFields) -> Self {
        Subject {
            account: fields.account.of_bytes(bytes),
            client_order_id: fields.client_order_id.of_bytes(bytes),
            original_client_order_id: fields.original_client_order_id.of_bytes(bytes),
            quantity: fields.quantity.of_bytes(bytes),
            side: fields.side.of_bytes(bytes),
            symbol: fields.symbol.of_bytes(bytes),
        }
    }
}

/// What a report of ours says of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said<'a> {
    pub(super) exec_type: u8,
    pub(super) status: u8,
    pub(super) reason: Option<u32>,
    pub(super) words: &'a str,
    pub(super) posture: Option<Posture>,
}

impl Edge {
    /// The gate said no.
    pub(super) fn answer_refused(&mut self, to: &mut Session, bytes: &[u8], kind: u8, fields: &OrderFields, original: u64, now: Now) {
        let words = format!("RISK:{}", text::text(&self.decision));
        let posture = self.gate.posture(self.decision.instrument_id);
        if kind == b'D' {
            let is_tripped_by_model = self.gate.trips(self.decision.instrument_id).is_some_and(|(sidecar, _)| sidecar != 0);
            let reason = order_reject_reason(&self.decision, self.version, is_tripped_by_model);
            return self.reject_order(to, bytes, fields, reason, &words, posture, now);
        }
        let reason = cancel_reject_reason(self.reason(), self.version);
        let is_unknown = original == 0 || self.is_unknown(original);
        self.reject_change(to, bytes, kind, fields, reason, is_unknown, &words, now);
    }

    /// A cancel of an order whose cancel is already on its way.
    pub(super) fn answer_pending(&mut self, to: &mut Session, bytes: &[u8], fields: &OrderFields, now: Now) {
        self.reject_change(to, bytes, b'F', fields, 3, false, "GATEWAY:CANCEL_PENDING", now);
    }

    /// Decided before the gateway died, and never sent.
    pub(super) fn answer_unsent(&mut self, to: &mut Session, bytes: &[u8], kind: u8, fields: &OrderFields, now: Now) {
        let other = if self.version == Version::Fix42 { 0 } else { OTHER };
        if kind == b'D' {
            self.reject_order(to, bytes, fields, other, "GATEWAY:NOT_SENT the gateway stopped before this order was sent", None, now);
        } else {
            let other = if self.version == Version::Fix42 { 2 } else { OTHER };
            self.reject_change(to, bytes, kind, fields, other, false, "GATEWAY:NOT_SENT the gateway stopped before this request was sent", now);
        }
    }

    /// 35=8, 150=8, 39=8 with our own 37 and 17.
    #[allow(clippy::too_many_arguments, reason = "the fields of one message")]
    pub(super) fn reject_order(
        &mut self,
        to: &mut Session,
        bytes: &[u8],
        fields: &OrderFields,
        reason: u32,
        words: &str,
        posture: Option<Posture>,
        now: Now,
    ) {
        let posture = posture.filter(|_| self.has_alerts(to));
        self.report(to, &Subject::of(bytes, fields), &Said { exec_type: b'8', status: b'8', reason: Some(reason), words, posture }, now);
    }

    /// The one execution report of our own: of an order that rests nowhere yet, or no more, or of which nobody knows.
    pub(super) fn report(&mut self, to: &mut Session, subject: &Subject<'_>, said: &Said<'_>, now: Now) {
        let number = self.next_exec();
        let (is_42, alert_tag) = (self.version == Version::Fix42, self.settings.alert_tag);
        let write = |out: &mut Vec<u8>| {
            let mut body = Body::new(out);
            let put = |body: &mut Body<'_>, tag: u32, value: &[u8]| {
                if !value.is_empty() {
                    body.put(tag, value);
                }
            };
            put(&mut body, 1, subject.account);
            body.number(6, 0);
            body.put(11, subject.client_order_id);
            body.number(14, 0);
            body.put(17, &number);
            let is_status = said.exec_type == b'I';
            if is_42 {
                body.number(20, if is_status { 3 } else { 0 });
            }
            body.put(37, &number);
            put(&mut body, 38, subject.quantity);
            body.put(39, &[said.status]);
            put(&mut body, 41, subject.original_client_order_id);
            body.put(54, subject.side);
            body.put(55, subject.symbol);
            body.put(58, said.words.as_bytes());
            body.put(60, crate::time::Stamp::default().text(now.utc));
            if let Some(reason) = said.reason {
                body.number(103, u64::from(reason));
            }
            // 4.2 has no ExecType of a status: its ExecTransType says so.
            body.put(150, &[if is_42 && is_status { said.status } else { said.exec_type }]);
            body.put(151, if said.status == b'A' && !subject.quantity.is_empty() { subject.quantity } else { b"0" });
        };
        to.send(b"8", now, |out| {
            write(out);
            if let Some(posture) = &said.posture {
                write_alert(Body::new(out), alert_tag, posture);
            }
        });
        self.copy_out(b"8", write);
    }

    /// 35=9 with 434.
    #[allow(clippy::too_many_arguments, reason = "the fields of one message")]
    pub(super) fn reject_change(
        &mut self,
        to: &mut Session,
        bytes: &[u8],
        kind: u8,
        fields: &OrderFields,
        reason: u32,
        is_unknown: bool,
        words: &str,
        now: Now,
    ) {
        let write = |out: &mut Vec<u8>| {
            let mut body = Body::new(out);
            body.put(11, fields.client_order_id.of_bytes(bytes));
            body.put(37, b"NONE");
            // Rejected where there is no such order, else the order stands as it was: New is all that is known here.
            body.put(39, if is_unknown { b"8" } else { b"0" });
            body.put(41, fields.original_client_order_id.of_bytes(bytes));
            body.put(58, words.as_bytes());
            body.number(102, u64::from(reason));
            body.put(434, if kind == b'F' { b"1" } else { b"2" });
        };
        to.send(b"9", now, write);
        self.copy_out(b"9", write);
    }

    /// Id of an execution or order of ours: unique over lives.
    pub(super) fn next_exec(&mut self) -> Vec<u8> {
        self.exec_number += 1;
        let mut out = b"PT".to_vec();
        number::put(&mut out, self.exec_prefix);
        out.push(b'-');
        number::put(&mut out, self.exec_number);
        out
    }

    pub(super) fn has_alerts(&self, to: &Session) -> bool {
        let target = &to.settings().target;
        self.settings.ems.iter().position(|ems| ems.session.target.as_bytes() == target).is_some_and(|at| self.ems[at].has_alerts)
    }

    /// Posture of the instrument that an order names.
    pub(super) fn posture_of(&self, id: u64) -> Option<Posture> {
        let order = self.gate.live_order(id, GATE_SESSION)?;
        self.gate.posture(self.gate.owner_of(&order).0)
    }
}

/// Value of the alert field.
#[must_use]
pub(super) fn alert_of(posture: &Posture) -> &'static str {
    match Tier::try_from(posture.tier) {
        _ if posture.is_tripped => "RiskAlert_CriticalBreaker",
        Ok(Tier::Normal) => "RiskAlert_Normal",
        Ok(Tier::Elevated) => "RiskAlert_ElevatedAnomaly",
        Ok(Tier::High) => "RiskAlert_HighAnomaly",
        _ => "RiskAlert_CriticalBreaker",
    }
}

/// The alert field and its companions, on the internal side only.
pub(super) fn write_alert(mut body: Body<'_>, alert_tag: u32, posture: &Posture) {
    body.put(alert_tag, alert_of(posture).as_bytes());
    let first = *COMPANIONS.start();
    if posture.score.is_finite() {
        body.put(first, format!("{:.4}", posture.score).as_bytes());
    }
    body.number(first + 1, posture.version);
    if posture.trip_id != 0 {
        body.number(first + 2, posture.trip_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(reason: ReasonCode) -> Decision {
        Decision { reason: reason as u8, measured: Phase::Closed as i64, ..Default::default() }
    }

    #[test]
    fn each_version_has_its_reasons() {
        let versions = [Version::Fix42, Version::Fix44, Version::Fix50];
        let row = |reason| versions.map(|version| order_reject_reason(&of(reason), version, false));
        assert_eq!(row(ReasonCode::OrderExceedsLimit), [3, 3, 3]);
        assert_eq!(row(ReasonCode::NotionalExceedsLimit), [3, 3, 20]);
        assert_eq!(row(ReasonCode::PriceOutsideCollar), [0, 99, 16]);
        assert_eq!(row(ReasonCode::KillSwitch), [0, 99, 99]);
        assert_eq!(row(ReasonCode::PartyNotAuthorised), [0, 15, 15]);
        assert_eq!(row(ReasonCode::PhaseNotPermitted), [2, 2, 2]);
        assert_eq!(row(ReasonCode::DuplicateClientOrderId), [6, 6, 6]);
        assert_eq!(order_reject_reason(&of(ReasonCode::BreakerTripped), Version::Fix50, true), 21);
        assert_eq!(versions.map(|v| cancel_reject_reason(ReasonCode::UnknownOrder, v)), [1, 1, 1]);
        assert_eq!(versions.map(|v| cancel_reject_reason(ReasonCode::PriceInsideStandoff, v)), [2, 99, 8]);
        assert_eq!(versions.map(|v| cancel_reject_reason(ReasonCode::InvalidPriceIncrement, v)), [2, 99, 18]);
    }
}
