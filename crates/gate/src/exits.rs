// SPDX-License-Identifier: Apache-2.0
//! Control 4, exit tickets: a named human lets one reduction through what stops everybody else.
//!
//! A ticket passes 1 to 3, 9 to 23, 25, 28, 29, 34 and 35, inside its own bounds and for a verified reduction; never 5 to 8, 24, 26, 27, 30, 31 and 44.
use crate::annex::Ticket;
use crate::breach::{Breach, Check};
use crate::checks::{Context, Request, beyond, extended, flow, passed_as, session};
use crate::decide::{At, Ready, Seen};
use crate::evaluate::evaluate_exit;
use crate::gate::Gate;
use crate::options::FUTURE_TOLERANCE_NS;
use crate::state::flag;
use pretrade_records::units::NS_PER_S;
use pretrade_records::{Action, Order, ReasonCode, Unit};
use pretrade_shm::Level;

/// The longest a ticket may be good for: 15 minutes, and what two clocks may differ by.
const LONGEST_NS: i64 = 900 * NS_PER_S + FUTURE_TOLERANCE_NS;
/// Persons needed where the position is not known.
const PERSONS_BLIND: u8 = 2;

const BAD: Breach = Breach::plain(4, ReasonCode::ExitNotVerified);

/// Control 4: the order lies inside the ticket's bounds and reduces a known position, or two persons signed where none is known.
///
/// # Errors
/// `EXIT_NOT_VERIFIED`, with the bound that was missed where it is a number.
pub fn check_exit(ticket: &Ticket, request: &Request<'_>, is_position_known: bool) -> Check {
    let numbers = |measured, limit, unit| Err(Breach::new(4, ReasonCode::ExitNotVerified, measured, limit, unit));
    if request.order.side != ticket.side {
        return Err(BAD);
    }
    if request.quantity > ticket.quantity {
        return numbers(request.quantity, ticket.quantity, Unit::Lots);
    }
    if beyond(request.is_buy, request.implied, ticket.price) {
        return numbers(request.implied, ticket.price, Unit::Price);
    }
    let is_verified = if is_position_known { request.is_reduction() } else { ticket.persons >= PERSONS_BLIND };
    if is_verified { Ok(()) } else { Err(BAD) }
}

impl Gate {
    /// What a ticket does not pass, in the order of evaluation.
    pub(crate) fn judge_exit(&mut self, order: &Order, at: &At, ready: &Ready, now_mono: i64, now_utc: i64, seen: &mut Seen) -> Check {
        if self.extended.is_on {
            self.prepare_extended(order, at, now_mono, now_utc);
        }
        let ticket = self.ticket_of(order, now_utc)?;
        if self.newest_kill(at, order.session_id) > ticket.kill {
            return Err(Breach::plain(1, ReasonCode::KillSwitch));
        }
        // Spent and unrecorded, a ticket would be good again after a restart.
        flow::check_audit(ready.is_audited, false)?;
        let (instrument, account, strategy) = (&self.instruments[at.instrument], &self.accounts[at.account], &self.strategies[at.strategy]);
        session::check_party(Some(account), strategy)?;
        if self.extended.is_on {
            extended::check_party_above(self.extended.is_enabled_above())?;
        }
        session::check_instrument(Some(instrument))?;
        self.check_restricted(at)?;
        extended::check_surveillance(self.is_blocked(at))?;
        let request = self.request(order, instrument, at, seen, now_mono, now_utc)?;
        let cell = &self.cells[at.cell];
        check_exit(&ticket, &request, cell.is_known != 0)?;
        (seen.added, seen.passed_as, seen.rank) = (request.added, passed_as::EXIT, request.rank);
        let mut flags = instrument.flags | account.flags | strategy.flags | self.firm.flags;
        if self.extended.is_on {
            flags |= self.extended.flags_above();
        }
        let context = Context {
            request,
            instrument,
            cell,
            account,
            strategy,
            firm: &self.firm,
            // A position nobody knows is no short sale either: two persons answer for it.
            flags: if cell.is_known == 0 { flags & !(flag::NO_SHORT | flag::NEEDS_LOCATE) } else { flags },
            options: &self.options,
            limits_age: seen.limits_age,
            is_quote_fresh: false,
        };
        let scope = self.extended.is_on.then(|| self.scope(&context, at));
        evaluate_exit(&context, &self.duplicates, scope.as_ref())
    }

    /// The ticket an order names, where it is this gateway's, in time, not spent, and of its account and instrument.
    fn ticket_of(&self, order: &Order, now_utc: i64) -> Result<Ticket, Breach> {
        let id = order.original_client_order_id;
        let found = self.annex.tickets.iter().find(|ticket| ticket.id == id).ok_or(BAD)?;
        let left = found.until.saturating_sub(now_utc);
        let is_good = order.action == Action::New as u8
            && found.gateway == u32::from(self.files.gateway_id)
            && (found.account, found.instrument) == (order.account_id, order.instrument_id)
            && (0..=LONGEST_NS).contains(&left)
            && !self.spent.contains(&id);
        if is_good { Ok(*found) } else { Err(BAD) }
    }

    /// Number of the newest kill that stands over an order: all of them are counted by one counter.
    fn newest_kill(&self, at: &At, session_id: u32) -> u64 {
        let above = self.extended.above(session_id);
        let ledgers = [
            &self.accounts[at.account],
            &self.strategies[at.strategy],
            &*self.firm,
            &self.extended.traders.ledgers[above.trader],
            &self.extended.desks.ledgers[above.desk],
            &self.extended.sessions.ledgers[above.session],
        ];
        let own = [Some(self.cold[at.instrument].controls_slot), self.controls.row(Level::Gateway, u32::from(self.files.gateway_id))];
        let slots = ledgers.iter().filter_map(|ledger| (ledger.controls_slot as usize).checked_sub(1)).chain(own.into_iter().flatten());
        slots.map(|slot| self.controls.state(slot).kill).max().unwrap_or(0).max(self.controls.kill_word())
    }

    /// Control 6: the account may trade the instrument, and the list that says so can be read.
    pub(crate) fn check_restricted(&self, at: &At) -> Check {
        if self.annex.is_restricted(self.accounts[at.account].id, self.cold[at.instrument].instrument_id) {
            return Err(Breach::plain(6, ReasonCode::InstrumentNotPermitted));
        }
        Ok(())
    }

    /// Control 33: instrument, account, strategy, trader, desk, session or firm of the order is blocked by surveillance.
    pub(crate) fn is_blocked(&self, at: &At) -> bool {
        !self.annex.blocked.is_empty() && self.annex.blocked.iter().any(|&(level, id)| self.is_of_row(at, level, id))
    }

    /// True where the order being decided belongs to a row of any level.
    pub(crate) fn is_of_row(&self, at: &At, level: u8, id: u32) -> bool {
        let above = self.extended.current.above;
        let of = [
            (Level::Instrument, true, self.cold[at.instrument].instrument_id),
            (Level::Account, true, self.accounts[at.account].id),
            (Level::Strategy, at.strategy > 0, self.strategies[at.strategy].id),
            (Level::Trader, above.trader > 0, self.extended.traders.ledgers[above.trader].id),
            (Level::Desk, above.desk > 0, self.extended.desks.ledgers[above.desk].id),
            (Level::Venue, above.session > 0, self.extended.sessions.ledgers[above.session].id),
            (Level::Firm, true, 0),
        ];
        of.iter().any(|&(l, has_row, i)| l as u8 == level && has_row && i == id)
    }

    /// An order passed with it: the ticket is good for no other. Kept for ever; the room was made when the ticket was read.
    pub(crate) fn spend_ticket(&mut self, order: &Order) {
        self.spent.push(order.original_client_order_id);
    }
}
