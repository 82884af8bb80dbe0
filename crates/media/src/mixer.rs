//! [`Mixer`]: what each member of a call of several hears: the others.
//!
//! Every 20 ms: [`Mixer::say`] for each member that said something, [`Mixer::mix`] for each that listens, then
//! [`Mixer::next_frame`]. Who hears whom is up to the [`Audience`] of each: one who only listens has none, one who whispers
//! has the one to whom, one who barges in has everyone.

mod limiter;

use crate::FRAME_SAMPLES;
use limiter::Limiter;

/// Members of one call.
pub const MAX_MEMBERS: usize = 32;

/// A member; no two of a mixer ever have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(u32);

/// Who hears a member. Nobody hears themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// All others, whoever joins later too.
    Everyone,
    /// These, and none who joins later.
    Only(Vec<MemberId>),
}

/// See the module's description.
#[derive(Debug, Default)]
pub struct Mixer {
    members: Vec<Member>,
    next_id: u32,
}

#[derive(Debug)]
struct Member {
    id: MemberId,
    audience: Audience,
    said: Option<[i16; FRAME_SAMPLES]>,
    limiter: Limiter,
}

impl Mixer {
    /// Somebody joins. `None` when there are too many.
    pub fn join(&mut self, audience: Audience) -> Option<MemberId> {
        if self.members.len() >= MAX_MEMBERS {
            return None;
        }
        let id = MemberId(self.next_id);
        self.next_id += 1;
        self.members.push(Member { id, audience, said: None, limiter: Limiter::default() });
        Some(id)
    }

    /// A member leaves, and with it what it said of late.
    pub fn leave(&mut self, id: MemberId) {
        self.members.retain(|member| member.id != id);
    }

    /// From now on a member is heard by these.
    pub fn set_audience(&mut self, id: MemberId, audience: Audience) {
        if let Some(member) = self.member(id) {
            member.audience = audience;
        }
    }

    /// What a member says in this frame. Who says nothing is silent.
    pub fn say(&mut self, id: MemberId, samples: &[i16; FRAME_SAMPLES]) {
        if let Some(member) = self.member(id) {
            member.said = Some(*samples);
        }
    }

    /// What a member hears in this frame; silence for one who is not there. To be asked once a frame.
    pub fn mix(&mut self, id: MemberId) -> [i16; FRAME_SAMPLES] {
        let mut sum = [0; FRAME_SAMPLES];
        for speaker in self.members.iter().filter(|speaker| speaker.is_heard_by(id)) {
            for (sum, sample) in sum.iter_mut().zip(speaker.said.iter().flatten()) {
                *sum += i32::from(*sample);
            }
        }
        self.member(id).map_or([0; FRAME_SAMPLES], |listener| listener.limiter.limit(&sum))
    }

    /// The frame is over.
    pub fn next_frame(&mut self) {
        for member in &mut self.members {
            member.said = None;
        }
    }

    fn member(&mut self, id: MemberId) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.id == id)
    }
}

impl Member {
    fn is_heard_by(&self, listener: MemberId) -> bool {
        let is_meant = match &self.audience {
            Audience::Everyone => true,
            Audience::Only(listeners) => listeners.contains(&listener),
        };
        is_meant && self.id != listener
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each member hears when each says its number: `said` and the result are one number a member.
    fn check<const N: usize>(mixer: &mut Mixer, ids: [MemberId; N], said: [i16; N], heard: [i16; N]) {
        for (id, level) in ids.into_iter().zip(said) {
            mixer.say(id, &[level; FRAME_SAMPLES]);
        }
        assert_eq!(ids.map(|id| mixer.mix(id)), heard.map(|level| [level; FRAME_SAMPLES]));
        mixer.next_frame();
    }

    fn of_everyone<const N: usize>(mixer: &mut Mixer) -> [MemberId; N] {
        [(); N].map(|()| mixer.join(Audience::Everyone).unwrap())
    }

    #[test]
    fn two_hear_each_other_sample_by_sample() {
        let mut mixer = Mixer::default();
        let [a, b] = of_everyone(&mut mixer);
        let loud: [i16; FRAME_SAMPLES] = std::array::from_fn(|n| (n as i16).wrapping_mul(2357));
        let loudest = [i16::MIN; FRAME_SAMPLES];
        for _ in 0..3 {
            mixer.say(a, &loud);
            mixer.say(b, &loudest);
            assert_eq!((mixer.mix(b), mixer.mix(a)), (loud, loudest));
            mixer.next_frame();
        }
    }

    #[test]
    fn everyone_hears_the_others_at_their_levels_and_nobody_themselves() {
        let mut mixer = Mixer::default();
        let ids = of_everyone(&mut mixer);
        check(&mut mixer, ids, [1, 10, 100, -1000], [-890, -899, -989, 111]);
        mixer.say(ids[1], &[5; FRAME_SAMPLES]);
        assert_eq!(mixer.mix(ids[0]), [5; FRAME_SAMPLES], "what was said before is over");
    }

    #[test]
    fn members_come_and_go() {
        let mut mixer = Mixer::default();
        let [a, b] = of_everyone(&mut mixer);
        check(&mut mixer, [a, b], [1, 10], [10, 1]);
        let late = mixer.join(Audience::Everyone).unwrap();
        check(&mut mixer, [a, b, late], [1, 10, 100], [110, 101, 11]);
        mixer.leave(a);
        let later = mixer.join(Audience::Everyone).unwrap();
        check(&mut mixer, [a, b, late, later], [1, 10, 100, 1000], [0, 1100, 1010, 110]);
    }

    #[test]
    fn who_hears_whom_is_a_matter_of_audience() {
        let mut mixer = Mixer::default();
        let [caller, agent] = of_everyone(&mut mixer);
        let supervisor = mixer.join(Audience::Only(vec![])).unwrap();
        let all = [caller, agent, supervisor];
        check(&mut mixer, all, [1, 10, 100], [10, 1, 11]);
        mixer.set_audience(supervisor, Audience::Only(vec![agent]));
        check(&mut mixer, all, [1, 10, 100], [10, 101, 11]);
        let late = mixer.join(Audience::Everyone).unwrap();
        mixer.say(supervisor, &[100; FRAME_SAMPLES]);
        assert_eq!(mixer.mix(late), [0; FRAME_SAMPLES], "a whisper is not for who joins later");
        mixer.next_frame();
        mixer.set_audience(supervisor, Audience::Everyone);
        check(&mut mixer, all, [1, 10, 100], [110, 101, 11]);
    }

    #[test]
    fn there_are_only_so_many() {
        let mut mixer = Mixer::default();
        let ids: [_; MAX_MEMBERS] = of_everyone(&mut mixer);
        assert_eq!(mixer.join(Audience::Everyone), None);
        ids.iter().for_each(|id| mixer.say(*id, &[i16::MIN; FRAME_SAMPLES]));
        assert!(ids.iter().all(|id| mixer.mix(*id).iter().all(|sample| *sample <= -32_700)));
        mixer.leave(ids[3]);
        assert!(mixer.join(Audience::Everyone).is_some());
    }
}
