// SPDX-License-Identifier: Apache-2.0
//! What the checks read of an order message, in one walk over its body, and what must not leave the house.
use crate::field::{Fields, is_trailer};
use crate::header::{Header, Span};
use crate::refusal::{Reason, Refusal};

/// Alert fields beside the configurable one: score, limit version, trip id, exit ticket.
pub const COMPANIONS: std::ops::RangeInclusive<u32> = 20012..=20015;
/// The alert field as first proposed; stripped whatever is configured.
pub const DEFAULT_ALERT: u32 = 8011;
/// Number of the exit ticket that an order spends.
const EXIT_TICKET: u32 = 20015;
const MOST_CUTS: usize = 12;

/// Stretches of a message that are left out where it is passed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cuts {
    spans: [(u32, u32); MOST_CUTS],
    count: usize,
}

impl Cuts {
    /// Cuts of the body of any message: internal fields, and signatures, which a new header breaks.
    ///
    /// # Errors
    /// When there are more than can be kept; such a message is not passed on.
    pub fn of(bytes: &[u8], header: &Header, alert_tag: u32) -> Result<Self, Refusal> {
        let mut cuts = Cuts::default();
        let mut fields = Fields::new(bytes, header.body, header.end);
        while let Some(field) = fields.next_field().map_err(|_| Refusal::plain(Reason::IncorrectFormat))? {
            cuts.take(field.tag, field.start, field.end, alert_tag)?;
        }
        Ok(cuts)
    }

    #[inline]
    fn take(&mut self, tag: u32, start: usize, end: usize, alert_tag: u32) -> Result<(), Refusal> {
        if !(is_internal(tag, alert_tag) || is_trailer(tag)) {
            return Ok(());
        }
        if self.count == MOST_CUTS {
            return Err(Refusal::of(Reason::RepeatedTag, tag));
        }
        self.spans[self.count] = (start as u32, end as u32);
        self.count += 1;
        Ok(())
    }

    /// Appends `bytes[from..to]` without what is cut.
    #[inline]
    pub fn copy(&self, bytes: &[u8], from: usize, to: usize, out: &mut Vec<u8>) {
        let mut at = from;
        for (start, end) in &self.spans[..self.count] {
            out.extend_from_slice(&bytes[at..*start as usize]);
            at = *end as usize;
        }
        out.extend_from_slice(&bytes[at..to]);
    }
}

/// True for fields that stay on the internal side.
#[inline]
#[must_use]
pub fn is_internal(tag: u32, alert_tag: u32) -> bool {
    tag == alert_tag || tag == DEFAULT_ALERT || COMPANIONS.contains(&tag)
}

/// Fields of an order, replace or cancel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderFields {
    /// Account (1).
    pub account: Span,
    /// ClOrdID (11).
    pub client_order_id: Span,
    /// ExecInst (18).
    pub exec_inst: Span,
    /// OrderQty (38).
    pub quantity: Span,
    /// OrdType (40).
    pub order_type: Span,
    /// OrigClOrdID (41).
    pub original_client_order_id: Span,
    /// Price (44).
    pub price: Span,
    /// Side (54).
    pub side: Span,
    /// Symbol (55).
    pub symbol: Span,
    /// TimeInForce (59).
    pub time_in_force: Span,
    /// TransactTime (60).
    pub transact_time: Span,
    /// LocateReqd (114).
    pub locate: Span,
    /// Exit ticket (20015), which stays inside.
    pub exit_ticket: Span,
    /// What is left out where it is passed on.
    pub cuts: Cuts,
}

impl OrderFields {
    /// Reads the body of an order message.
    ///
    /// # Errors
    /// When a field that a check reads stands there twice (the venue might read the other one), or internal fields are more
    /// than can be cut.
    #[inline]
    pub fn read(bytes: &[u8], header: &Header, alert_tag: u32) -> Result<Self, Refusal> {
        let mut out = OrderFields::default();
        let mut fields = Fields::new(bytes, header.body, header.end);
        while let Some(field) = fields.next_field().map_err(|_| Refusal::plain(Reason::IncorrectFormat))? {
            if is_internal(field.tag, alert_tag) || is_trailer(field.tag) {
                out.cuts.take(field.tag, field.start, field.end, alert_tag)?;
            }
            let Some(slot) = out.slot(field.tag) else { continue };
            if slot.is_some() {
                return Err(Refusal::of(Reason::RepeatedTag, field.tag));
            }
            *slot = Span::of(&field);
        }
        Ok(out)
    }

    #[inline]
    fn slot(&mut self, tag: u32) -> Option<&mut Span> {
        Some(match tag {
            1 => &mut self.account,
            11 => &mut self.client_order_id,
            18 => &mut self.exec_inst,
            38 => &mut self.quantity,
            40 => &mut self.order_type,
            41 => &mut self.original_client_order_id,
            44 => &mut self.price,
            54 => &mut self.side,
            55 => &mut self.symbol,
            59 => &mut self.time_in_force,
            60 => &mut self.transact_time,
            114 => &mut self.locate,
            EXIT_TICKET => &mut self.exit_ticket,
            _ => return None,
        })
    }

    /// First required field of a message of this type that is not there.
    #[must_use]
    pub fn missing(&self, msg_type: u8) -> Option<u32> {
        let wanted = [
            (11, self.client_order_id, true),
            (40, self.order_type, msg_type != b'F'),
            (41, self.original_client_order_id, msg_type != b'D'),
            (54, self.side, true),
            (55, self.symbol, true),
            (60, self.transact_time, true),
        ];
        wanted.iter().find(|(_, span, is_wanted)| *is_wanted && !span.is_some()).map(|(tag, ..)| *tag)
    }
}

/// Fields of an execution report or a cancel reject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportFields {
    /// Account (1).
    pub account: Span,
    /// ClOrdID (11).
    pub client_order_id: Span,
    /// CumQty (14).
    pub filled: Span,
    /// ExecTransType (20), FIX 4.2.
    pub transaction: Span,
    /// LastPx (31).
    pub last_price: Span,
    /// LastQty (32).
    pub last_quantity: Span,
    /// OrdStatus (39).
    pub status: Span,
    /// OrigClOrdID (41).
    pub original_client_order_id: Span,
    /// RefSeqNum (45).
    pub reference: Span,
    /// Side (54).
    pub side: Span,
    /// Symbol (55).
    pub symbol: Span,
    /// Text (58).
    pub text: Span,
    /// ExecType (150).
    pub exec_type: Span,
    /// CxlRejResponseTo (434).
    pub response_to: Span,
    /// What is left out where it is passed on: the venue has no business with our alert fields either.
    pub cuts: Cuts,
}

impl ReportFields {
    /// Reads the body of a venue's message; of a repeated field the first.
    ///
    /// # Errors
    /// When a part of it is no field.
    pub fn read(bytes: &[u8], header: &Header, alert_tag: u32) -> Result<Self, Refusal> {
        let mut out = ReportFields::default();
        let mut fields = Fields::new(bytes, header.body, header.end);
        while let Some(field) = fields.next_field().map_err(|_| Refusal::plain(Reason::IncorrectFormat))? {
            let slot = match field.tag {
                1 => &mut out.account,
                11 => &mut out.client_order_id,
                14 => &mut out.filled,
                20 => &mut out.transaction,
                31 => &mut out.last_price,
                32 => &mut out.last_quantity,
                39 => &mut out.status,
                41 => &mut out.original_client_order_id,
                45 => &mut out.reference,
                54 => &mut out.side,
                55 => &mut out.symbol,
                58 => &mut out.text,
                150 => &mut out.exec_type,
                434 => &mut out.response_to,
                tag => {
                    out.cuts.take(tag, field.start, field.end, alert_tag)?;
                    continue;
                }
            };
            if !slot.is_some() {
                *slot = Span::of(&field);
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &str) -> (Vec<u8>, Header) {
        let bytes = format!("8=FIX.4.4|9=0|35=D|49=A|56=B|34=2|52=20261124-14:30:00|{body}10=000|").replace('|', "\u{1}").into_bytes();
        let header = Header::read(&bytes).unwrap();
        (bytes, header)
    }

    #[test]
    fn internal_fields_and_signatures_are_left_out() {
        let (bytes, header) = message("11=a|8011=RiskAlert_Normal|38=5|20012=0.5|20015=T|20016=stays|93=3|89=abc|");
        let fields = OrderFields::read(&bytes, &header, 20011).unwrap();
        let mut out = Vec::new();
        fields.cuts.copy(&bytes, header.body, header.end, &mut out);
        assert_eq!(String::from_utf8(out).unwrap().replace('\u{1}', "|"), "11=a|38=5|20016=stays|");
    }

    #[test]
    fn a_field_that_decides_may_not_stand_there_twice() {
        let (bytes, header) = message("11=a|38=5|54=1|38=500|");
        assert_eq!(OrderFields::read(&bytes, &header, 8011), Err(Refusal::of(Reason::RepeatedTag, 38)));
    }

    #[test]
    fn a_field_hidden_in_data_is_not_read() {
        let (bytes, header) = message("11=a|354=6|355=x|38=5|38=500|");
        let fields = OrderFields::read(&bytes, &header, 8011).unwrap();
        assert_eq!(fields.quantity.of_bytes(&bytes), b"500");
    }

    #[test]
    fn more_internal_fields_than_can_be_cut_are_refused() {
        let (bytes, header) = message(&"8011=x|".repeat(13));
        assert!(OrderFields::read(&bytes, &header, 8011).is_err());
        assert!(Cuts::of(&bytes, &header, 8011).is_err());
    }
}
