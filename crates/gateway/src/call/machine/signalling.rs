//! Pure: no I/O, no clock.
//!
//! What signalling says to a call: answers, offers, keys, the end.

use std::time::{Duration, Instant};

use media::Order;
use media::ear::DigitSource;
use sip::sdp::{self, Negotiated, SessionDescription};

use super::{CallMachine, Output, Signal, State};
use crate::call::{ending, info_digits, streams};
use crate::{CallStatus, EndCause, LineEvent};

impl CallMachine {
    pub(super) fn handle_signalling(&mut self, now: Instant, event: sip::Event) {
        match event {
            sip::Event::Progress { status, description, .. } => self.handle_progress(now, status, description.as_ref()),
            sip::Event::Answered { description, .. } => self.handle_answer(now, &description),
            sip::Event::Acknowledged { description: Some(description), .. } => {
                match self.sdes.accept(&self.capabilities, &description) {
                    Ok(negotiated) => self.configure(now, negotiated),
                    Err(_) => self.give_up(now, EndCause::Failed),
                }
            }
            sip::Event::Offer { offer, .. } => self.handle_offer(now, offer.as_ref()),
            // What they describe after the session was refreshed, or in answer to an early offer of ours. What cannot
            // be used leaves the stream as it was, unless it would have to go on without its keys.
            sip::Event::OfferAnswered { description: Some(description), .. } => {
                match self.sdes.accept(&self.capabilities, &description) {
                    Ok(negotiated) => self.configure(now, negotiated),
                    Err(sdp::Error::Srtp(_)) => self.give_up(now, EndCause::Failed),
                    Err(_) => {}
                }
            }
            sip::Event::Info { content_type, body, .. } => {
                if let Some(digit) = info_digits::parse(&content_type, &body) {
                    self.outputs.push_back(Output::Line(LineEvent::Digit {
                        at: Duration::ZERO,
                        digit,
                        source: DigitSource::Info,
                    }));
                }
            }
            sip::Event::InfoAnswered { .. } => {
                self.info_keys.answered();
                self.send_info_keys(now);
            }
            sip::Event::Ended { end, .. } => self.finish(ending::of(end, self.cause, self.peer)),
            _ => {}
        }
    }

    fn handle_answer(&mut self, now: Instant, description: &SessionDescription) {
        if !matches!(self.state, State::Dialing { .. }) {
            return;
        }
        // RFC 3261 §13.2.1: only the first answer counts, and an UPDATE may have replaced it since.
        if self.early_answer.as_ref() != Some(description) {
            match self.sdes.accept(&self.capabilities, description) {
                Ok(negotiated) => self.configure(now, negotiated),
                Err(_) => return self.give_up(now, EndCause::Failed),
            }
        }
        self.enter_established(now);
    }

    fn handle_progress(&mut self, now: Instant, status: u16, description: Option<&SessionDescription>) {
        let State::Dialing { early_media, .. } = &mut self.state else { return };
        if description.is_some() && self.early_answer.as_ref() == description {
            return;
        }
        if let Some(description) = description
            && let Ok(negotiated) = self.sdes.accept(&self.capabilities, description)
        {
            self.early_answer = Some(description.clone());
            let first = !std::mem::replace(early_media, true);
            self.configure(now, negotiated);
            if first {
                self.outputs.push_back(Output::Status(CallStatus::EarlyMedia));
                self.outputs.push_back(Output::Line(LineEvent::EarlyMedia));
            }
        } else if status == 180 && !*early_media {
            self.outputs.push_back(Output::Status(CallStatus::Ringing));
            self.outputs.push_back(Output::Line(LineEvent::Ringing));
        }
    }

    /// A re-INVITE, UPDATE or PRACK: hold, resume, a new address, before the call is answered too. Without an offer
    /// the answer is our full one.
    fn handle_offer(&mut self, now: Instant, offer: Option<&SessionDescription>) {
        self.capabilities.version += 1;
        let Some(offer) = offer else {
            let offer = self.offer();
            self.outputs.push_back(Output::Signal(Signal::AnswerOffer(offer)));
            return;
        };
        match self.sdes.answer(offer, &self.capabilities) {
            Ok((answer, negotiated)) => {
                self.outputs.push_back(Output::Signal(Signal::AnswerOffer(answer)));
                self.configure(now, negotiated);
                // What they described last is what our answer to the INVITE is about.
                if let State::Offered { offer: first, .. } = &mut self.state {
                    *first = Some(offer.clone());
                }
            }
            // RFC 3261 §14.2: the session stays as it was.
            Err(_) => self.outputs.push_back(Output::Signal(Signal::RejectOffer(488))),
        }
    }

    /// The session is described so from now on.
    pub(super) fn configure(&mut self, now: Instant, negotiated: Negotiated) {
        if self.negotiated.as_ref() != Some(&negotiated) {
            self.outputs.push_back(Output::Media(Order::Configure(streams::configure(&negotiated))));
            self.negotiated = Some(negotiated);
        }
        self.note_direction(now);
    }
}
