"""The suite's own ears, tested: `python3 -m unittest discover -s sip-tests`."""

import os
import random
import socket
import tempfile
import time
import types
import unittest

import audio
import callees
import crowd
import harness
import model
import pcap
import placed_once
import rtcp
import rtp
import run
import siege
import sip
import spray
import srtp


class Audio(unittest.TestCase):
    def test_ulaw_gives_back_what_went_in_within_its_step(self):
        for sample in (0, 5, -5, 1000, -1000, 12345, -32000, 32767):
            back = audio.decode(0, audio.ulaw_encode([sample]))[0]
            self.assertLessEqual(abs(back - sample), max(8, abs(sample) * 0.04), sample)

    def test_alaw_gives_back_what_went_in_within_its_step(self):
        for sample in (0, 5, -5, 255, 256, -256, -257, 1000, -1000, 12345, -32000, 32767, -32768):
            back = audio.decode(8, audio.alaw_encode([sample]))[0]
            self.assertLessEqual(abs(back - sample), max(8, abs(sample) * 0.04), sample)

    def test_known_code_words(self):
        self.assertEqual(audio.ulaw_encode([0]), b"\xff")
        self.assertEqual(audio.ULAW[0x00], -32124)
        self.assertEqual(audio.ULAW[0x80], 32124)
        self.assertEqual(audio.ALAW[0xD5], 8)
        self.assertEqual(audio.ALAW[0xAA], 32256)

    def test_a_tone_is_all_at_its_frequency_and_nowhere_else(self):
        samples = audio.tone(440, 0.5)
        self.assertGreater(audio.share(samples, 440), 0.99)
        self.assertLess(audio.share(samples, 1000), 0.01)
        self.assertEqual(audio.tone_seconds(samples + audio.silence(0.5), 440), 0.5)

    def test_a_full_scale_sine_is_three_point_one_seven_dbm0(self):
        self.assertAlmostEqual(audio.dbm0(audio.tone(1000, 1, 32124)), 3.17, places=1)

    def test_a_tone_is_found_where_it_begins_and_ends(self):
        samples = audio.silence(0.5) + audio.tone(500, 0.4) + audio.silence(0.3)
        self.assertEqual(audio.tone_stretch(samples, 500), (0.5, 0.9))
        self.assertIsNone(audio.tone_stretch(samples, 900))

    def test_keys_are_heard_once_each(self):
        samples = []
        for key in "1159#D":
            samples += audio.dtmf_tone(key) + audio.silence(0.06)
        self.assertEqual(audio.dtmf_keys(samples), "1159#D")

    def test_a_wav_comes_back_even_with_an_unfinished_header(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "a.wav")
            audio.write_wav(path, [1, -2, 3])
            self.assertEqual(audio.read_wav(path), (8000, [[1, -2, 3]]))
            with open(path, "r+b") as file:
                file.seek(40)  # the size of the data chunk
                file.write(b"\0\0\0\0")
            self.assertEqual(audio.read_wav(path), (8000, [[1, -2, 3]]))


class Rtp(unittest.TestCase):
    def test_two_phones_hear_each_other_and_each_others_keys(self):
        left, right = rtp.Phone(), rtp.Phone()
        left.call(("127.0.0.1", right.port))
        right.call(("127.0.0.1", left.port))
        left.play(audio.tone(440, 0.4))
        right.press("7#")
        end = time.monotonic() + 5
        while time.monotonic() < end and not (left.idle and right.idle and len(left.packets) > 30):
            time.sleep(0.02)
        left.close()
        right.close()
        self.assertGreaterEqual(audio.tone_seconds(right.samples(), 440), 0.3)
        self.assertEqual("".join(event.key for event in left.events()), "7#")
        self.assertEqual([event.faults() for event in left.events()], [[], []])


    def test_a_script_is_played_as_it_was_written(self):
        script = rtp.Script().say(audio.tone(440, 0.06), 30).noise(50, 0.04)
        script.renew().jump(7, 9).say([5] * 80, 10, 97, sounds_like=8)
        self.assertEqual([round(at, 3) for at, _ in script.packets], [0.03, 0.06, 0.06, 0.11])
        here, there = rtp.Player(), rtp.Player()
        here.play(("127.0.0.1", there.port), script.packets)
        end = time.monotonic() + 5
        while time.monotonic() < end and len(there.packets) < 4:
            time.sleep(0.02)
        here.close()
        there.close()
        heard = there.packets
        self.assertEqual([packet.payload for packet in heard], script.payloads())
        self.assertEqual([(packet.payload_type, packet.marker) for packet in heard],
                         [(0, True), (0, False), (13, False), (97, True)])
        self.assertEqual([heard[n].timestamp - heard[0].timestamp & 0xFFFFFFFF for n in (1, 2)], [240, 480])
        self.assertEqual([heard[n].sequence - heard[0].sequence for n in (1, 2)], [1, 2])
        self.assertEqual([packet.ssrc == heard[0].ssrc for packet in heard], [True, True, True, False])


    def test_keys_of_a_script_are_as_rfc_4733_has_them(self):
        script = rtp.Script().say(audio.silence(0.04)).press("5").say(audio.silence(0.02))
        packets = [rtp.parse(datagram) for _, datagram in script.packets]
        self.assertEqual(rtp.Event(packets[2:9]).key, "5")
        self.assertEqual(rtp.Event(packets[2:9]).faults(), [])
        self.assertEqual([packets[n].timestamp - packets[0].timestamp & 0xFFFFFFFF for n in (2, 8, 9)], [320, 320, 1120])


class Pcap(unittest.TestCase):
    def test_what_was_written_is_read(self):
        datagrams = [(1.000001, b"one"), (2.5, bytes(range(200)))]
        capture = pcap.written(datagrams, ("127.0.0.1", 4000), ("127.0.0.2", 5000))
        self.assertEqual(pcap.read(capture), [(at, 4000, 5000, payload) for at, payload in datagrams])


    def test_behind_ethernet_each_packet_has_a_header_more(self):
        ends = ("127.0.0.1", 4000), ("127.0.0.2", 5000)
        bare, framed = (pcap.written([(1, b"one")], *ends, link) for link in (pcap.RAW_IP, pcap.ETHERNET))
        self.assertEqual((bare[20], framed[20]), (101, 1))
        self.assertEqual(framed[40:54], bytes(12) + b"\x08\x00")
        self.assertEqual(framed[54:], bare[40:])


class Rtcp(unittest.TestCase):
    BLOCK = rtcp.Block(ssrc=7, fraction=64, lost=-3, highest=0x10005, jitter=12, last_report=0x22223333, since=65536)
    REPORT = rtcp.Report(5, (0x11112222_33334444, 160, 2, 320), [BLOCK], "a name", True)

    def test_what_was_written_is_read_back(self):
        for report in (self.REPORT, self.REPORT._replace(sender=None, goodbye=False), self.REPORT._replace(blocks=[])):
            self.assertEqual(rtcp.parse(rtcp.written(report)), report)
        for name in ("", "abc", "abcd", "abcde"):
            self.assertEqual(rtcp.parse(rtcp.written(self.REPORT._replace(cname=name))).cname, name)

    def test_a_report_is_laid_out_as_rfc_3550_section_6_4_1_has_it(self):
        written = rtcp.written(self.REPORT)
        self.assertEqual(written[:8].hex(), "81c8000c00000005")
        self.assertEqual(written[8:28].hex(), "1111222233334444" "000000a0" "00000002" "00000140")
        self.assertEqual(written[28:52].hex(), "00000007" "40fffffd" "00010005" "0000000c" "22223333" "00010000")
        self.assertEqual(rtcp.middle(self.REPORT.sender[0]), 0x22223333)

    def test_what_is_no_compound_packet_is_told(self):
        written = rtcp.written(self.REPORT)
        report = written[:52]
        for wrong in (written[:-1], report, written[52:], written + report, b"\x40" + written[1:], written[:-4] + b"what",
                      b"\x82" + written[1:]):
            with self.assertRaises(ValueError):
                rtcp.parse(wrong)

    def test_a_port_above_that_of_a_player_sends_and_keeps_what_comes(self):
        player = rtp.Player()
        port = rtcp.Port(player)
        port.send(self.REPORT, ("127.0.0.1", player.port + 1))
        end = time.monotonic() + 5
        while time.monotonic() < end and not port.arrived:
            time.sleep(0.02)
        port.close()
        player.close()
        self.assertEqual([report for _, report in port.reports()], [self.REPORT])
        self.assertEqual(port.arrived[0][1], ("127.0.0.1", player.port + 1))


class Srtp(unittest.TestCase):
    def test_session_keys_are_those_of_rfc_3711_appendix_b_3(self):
        key = srtp.Key(bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE41390EC675AD498AFEEBB6960B3AABE6"))
        self.assertEqual(key.cipher.hex().upper(), "C61E7A93744F39EE10734AFE3FF7A087")
        self.assertEqual(key.salt.hex().upper(), "30CBBC08863D8C85D49DB34A9AE1")
        self.assertEqual(key.auth.hex().upper(), "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4")

    def test_what_was_protected_is_opened_and_what_was_changed_is_not(self):
        key = srtp.Key()
        theirs = srtp.Key.of(f"v=0\r\n{key.line()}\r\n")
        for _, packet in rtp.Script().say(audio.tone(440, 0.06)).packets:
            sealed = key.protect(packet)
            self.assertNotIn(packet[12:], sealed)
            self.assertEqual(theirs.open(sealed), packet)
            self.assertIsNone(theirs.open(sealed[:-1] + bytes([sealed[-1] ^ 1])))
        self.assertIsNone(theirs.open(b"short"))


class Sip(unittest.TestCase):
    def test_a_message_is_read_by_name_in_any_case(self):
        message = sip.Message("INVITE sip:a SIP/2.0\r\nv: one\r\nVIA: two\r\nl: 2\r\n\r\nhi")
        self.assertEqual(message.all("Via"), ["one", "two"])
        self.assertEqual((message.method, message.status, message.body), ("INVITE", None, "hi"))

    def test_digest_of_rfc_7616_section_3_9_1(self):
        fields = {
            "username": "Mufasa", "realm": "http-auth@example.org", "uri": "/dir/index.html",
            "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "nc": "00000001", "qop": "auth",
            "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        }
        self.assertEqual(
            sip.digest_response("GET", "Circle of Life", {**fields, "algorithm": "MD5"}),
            "8ca523f5e9506fed4657c9700eebdbec",
        )
        self.assertEqual(
            sip.digest_response("GET", "Circle of Life", {**fields, "algorithm": "SHA-256"}),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        )


class Crowd(unittest.TestCase):
    def test_who_is_hung_up_on_leaves_and_what_was_said_is_kept(self):
        with socket.create_server(("127.0.0.1", 0)) as door:
            visitors = crowd.Crowd(door.getsockname(), "127.0.0.3")
            visitors.join(3)
            self.assertEqual((visitors.connected, visitors.present()), (3, 3))
            taken = [door.accept()[0] for _ in range(3)]
            visitors.trickle(8)
            self.assertEqual([one.recv(100) for one in taken], [b"OPTIONS "] * 3)
            taken[0].sendall(b"hello")
            taken[0].close()
            end = time.monotonic() + 5
            while time.monotonic() < end and visitors.present() > 2:
                time.sleep(0.02)
            self.assertEqual((visitors.present(), visitors.answered), (2, b"hello"))
            visitors.close()
            for one in taken:
                one.close()


class Siege(unittest.TestCase):
    def test_each_call_sends_at_its_pace_and_takes_what_comes_back(self):
        with siege.bound("127.0.0.1") as here, siege.bound("127.0.0.1") as there:
            sent, taken = [], []
            call = types.SimpleNamespace(socket=here, take=lambda datagram, source: taken.append((datagram, source)))

            def send():
                sent.append(time.monotonic())
                there.sendto(b"back", here.getsockname())

            call.send = send
            siege.talk([call], siege.after(0.2), settle=0.02)
            # No more than are due; fewer where the machine is busy at the end.
            self.assertTrue(2 <= len(sent) <= 11, sent)
            self.assertEqual(taken, [(b"back", there.getsockname())] * len(sent))

    def test_what_is_done_beside_reports_and_is_then_over(self):
        def meanwhile(is_over):
            end = time.monotonic() + 5
            while time.monotonic() < end and not is_over():
                time.sleep(0.01)
            return is_over()

        self.assertEqual(siege.beside(told_of, ("nothing",), meanwhile), ("nothing happened", True))


def told_of(what, report):
    report.put(f"{what} happened")


class Spray(unittest.TestCase):
    def check(self, datagrams, faults):
        """What is wrong when these come back to an echo that two packets of ours were sent to."""
        with siege.bound("127.0.0.1") as ours, siege.bound("127.0.0.1") as theirs:
            line = spray.Line(3, ours, types.SimpleNamespace(remote=theirs.getsockname()))
            sent = []
            for _ in range(2):
                line.send()
                sent.append(theirs.recv(2048))
            stranger = spray.strange_datagrams(random.Random(1))[0]
            for datagram, source in datagrams(sent, theirs.getsockname(), stranger):
                line.take(datagram, source)
            self.assertEqual(line.faults()[0], faults)

    def test_what_comes_back_once_is_right_and_all_else_is_told(self):
        self.check(lambda sent, there, _: [(packet, there) for packet in sent], [])
        self.check(lambda sent, there, _: [(sent[0], there)], ["call 3: 1 of 2 packets lost"])
        self.check(lambda sent, there, _: [(packet, there) for packet in sent + sent], ["call 3: packets came back twice"])
        self.check(lambda sent, there, stranger: [(packet, there) for packet in [*sent, stranger]],
                   ["call 3: 1 strange packets"])
        self.check(lambda sent, there, _: [*[(packet, there) for packet in sent], (sent[0], ("127.0.0.1", 9))],
                   ["call 3: 1 strange packets"])


class PlacedOnce(unittest.TestCase):
    """Number 0 answers, 6 is busy, 8 rings. The program calls from port 5060 and was killed at 100."""

    ALWAYS = placed_once.Rule(3, 1, 60, {"busy"}, True)
    ONCE = placed_once.Rule(1, 1, 60, set(), False)
    KILLED = [placed_once.Life(5060, 0, 1, 100)]

    def check(self, faults, status, rule, attempts, invites, killed=KILLED, number="+10"):
        """Attempts are `(created_at, ended_at, end_reason)`, INVITEs the times they came at."""
        made = [placed_once.Attempt(f"call_{n}", *times, reason == "callee_hung_up", "ended" if reason else "dialing", reason)
                for n, (*times, reason) in enumerate(attempts, 1)]
        recipient = placed_once.Recipient(number, 0, status, rule, made)
        seen = [callees.Invite(at, number, f"{at}@", 5060) for at in invites]
        self.assertEqual(placed_once.faults([recipient], seen, killed, callees.end_of), faults)

    def test_what_was_placed_once_or_cut_off_has_no_fault(self):
        self.check([], "completed", self.ONCE, [(2, 3, "callee_hung_up")], [2.1])
        self.check([], "failed", self.ONCE, [(2, 3, "no_answer")], [2.1], number="+18")
        self.check([], "completed", self.ALWAYS, [(99, 99, "interrupted"), (102, 103, "callee_hung_up")], [99.1, 102.1])
        # The record was written, and nobody was called.
        self.check([], "failed", self.ONCE, [(99, 99, "interrupted")], [])
        # A kill between the end of a call and what follows from it.
        self.check([], "failed", self.ALWAYS, [(98, 99, "busy"), (102, 103, "busy"), (105, 106, "busy")], [98, 102, 105.1],
                   number="+16")

    def test_a_number_that_is_dialed_twice_for_one_attempt_is_a_fault(self):
        self.check(["+10: attempt 1 (call_1) was dialed 2 times"], "completed", self.ONCE, [(2, 3, "callee_hung_up")],
                   [2.1, 2.2])
        self.check(["+10: attempt 1 (call_1) was dialed 2 times"], "failed", self.ONCE, [(99, 99, "interrupted")],
                   [99.1, 101])

    def test_a_number_that_is_dialed_without_a_record_is_a_fault(self):
        self.check(["+10: was called before any attempt was written down"], "completed", self.ONCE,
                   [(2, 3, "callee_hung_up")], [1.9, 2.1])
        self.assertEqual(placed_once.faults([], [callees.Invite(1, "+10", "a", 5060)], [], callees.end_of),
                         ["+10: was called, though nobody asked for it"])

    def test_a_call_that_is_lost_is_a_fault(self):
        self.check(["+10: was never called, and is pending"], "pending", self.ONCE, [], [])
        self.check(["+10: attempt 1 (call_1) is still dialing"], "in_progress", self.ONCE, [(2, None, None)], [2.1])
        self.check(["+10: is in_progress, not failed, after attempt 1 of 1, which ended as interrupted"], "in_progress",
                   self.ONCE, [(99, 99, "interrupted")], [99.1])
        self.check(["+10: was not called again after attempt 1 of 3, which ended as interrupted, and is failed"], "failed",
                   self.ALWAYS, [(99, 99, "interrupted")], [99.1])
        self.check(["+10: attempt 1 (call_1) ended as callee_hung_up, though nobody was called"], "completed", self.ONCE,
                   [(2, 3, "callee_hung_up")], [])

    def test_a_call_that_the_rule_does_not_allow_is_a_fault(self):
        self.check(["+10: was called again after attempt 1 of 1, which ended as interrupted"], "completed", self.ONCE,
                   [(99, 99, "interrupted"), (102, 103, "callee_hung_up")], [99.1, 102.1])
        self.check(["+10: was called again after attempt 1 of 3, which ended as callee_hung_up"], "completed", self.ALWAYS,
                   [(2, 3, "callee_hung_up"), (5, 6, "callee_hung_up")], [2.1, 5.1])
        self.check(["+16: was called again after attempt 3 of 3, which ended as busy"], "failed", self.ALWAYS,
                   [(1, 2, "busy"), (4, 5, "busy"), (8, 9, "busy"), (20, 21, "busy")], [1, 4, 8, 20], number="+16")
        self.check(["+16: was called again 1.500 s after attempt 2 of 3, which ended as busy, not after 2 s"], "failed",
                   self.ALWAYS, [(1, 2, "busy"), (4, 5, "busy"), (6.5, 9, "busy")], [1, 4, 6.5], number="+16")

    def test_what_is_marked_interrupted_without_a_kill_or_by_that_of_another_is_a_fault(self):
        fault = "+10: attempt 1 (call_1) is marked interrupted, though nobody was killed who made it"
        self.check([fault], "failed", self.ONCE, [(2, 2, "interrupted")], [2.1], killed=[])
        self.check([fault], "failed", self.ONCE, [(2, 2, "interrupted")], [2.1], killed=[placed_once.Life(5080, 0, 1, 100)])
        self.check([fault], "completed", self.ALWAYS, [(2, 2, "interrupted"), (5, 6, "callee_hung_up")], [2.1, 5.1])

    def test_an_end_that_the_callee_did_not_give_it_is_a_fault(self):
        self.check(["+10: attempt 1 (call_1) ended as busy, not as callee_hung_up"], "failed", self.ONCE, [(2, 3, "busy")],
                   [2.1])

    def test_the_wait_for_the_first_call_of_a_life_counts_while_somebody_is_due(self):
        life = placed_once.Life(5060, 8, 10, 20)

        def waits(first_call, *others):
            def recipient(due, begun_at):
                attempts = [placed_once.Attempt("call", begun_at, begun_at, False, "ended", "busy")] if begun_at else []
                return placed_once.Recipient("+1", due, "failed", self.ONCE, attempts)
            calls = [callees.Invite(first_call, "+1", "a", 5060)] if first_call else []
            return [seconds for _, seconds in placed_once.waits_for_first_calls(
                [life], [recipient(*other) for other in others], calls)]

        self.assertEqual(waits(14, (9, 14)), [4])
        # It made no call at all.
        self.assertEqual(waits(None, (9, None)), [10])
        # Nobody was due, or nobody any longer.
        self.assertEqual(waits(14, (13, 14)), [])
        self.assertEqual(waits(14, (5, 6)), [])
        # The other program called them.
        self.assertEqual(waits(14, (9, 12)), [2])


class Callees(unittest.TestCase):
    def setUp(self):
        self.said = set()

    def test_a_call_is_noted_once_however_often_its_invite_comes(self):
        others = callees.Callees(random.Random(1), 9)
        prober = sip.Prober(("127.0.0.1", others.port))
        invite = prober.request("INVITE", user="+15550106")
        prober.send(invite)
        prober.send(invite)
        prober.send(prober.request("INVITE", user="+15550106"))
        statuses = [prober.receive(5).status for _ in range(5)]
        prober.close()
        others.close()
        self.assertEqual(sorted(statuses), [180, 180, 180, 486, 486])
        self.assertEqual([(call.to, call.port) for call in others.invites], [("+15550106", prober.address[1])] * 2)

    def test_who_answers_hangs_up_and_who_rings_lets_itself_be_canceled(self):
        others = callees.Callees(random.Random(1), 9)
        prober = sip.Prober(("127.0.0.1", others.port))
        call = sip.Call(prober, sip.describe(9), user="+15550100")
        self.said.add(call.answer.text)
        self.heard(prober, call.answer.get("Call-ID"), (None, "BYE"))
        prober.send(prober.request("INVITE", user="+15550108", Call_ID="rings"))
        self.heard(prober, "rings", (180, "INVITE"))
        prober.send(prober.request("CANCEL", user="+15550108", Call_ID="rings"))
        self.heard(prober, "rings", (200, "CANCEL"))
        self.heard(prober, "rings", (487, "INVITE"))
        prober.close()
        others.close()

    def heard(self, prober, call_id, expected):
        """The next word of a call, what is said again left out: a status or none, and the method."""
        while (message := prober.receive(5)) and (message.text in self.said or message.get("Call-ID") != call_id):
            self.said.add(message.text)
        self.said.add(message.text)
        self.assertEqual((message.status, message.cseq_method), expected)


class Cases(unittest.TestCase):
    def test_cases_of_minutes_run_only_when_a_pattern_names_them(self):
        long = [name for name, function in harness.CASES.items() if function.soak]
        self.assertTrue(long)
        for name in long:
            self.assertFalse(run.is_wanted(name, []))
            self.assertTrue(run.is_wanted(name, ["soak_*"]), name)
        self.assertTrue(run.is_wanted("inbound_echo", []))


class StandIn(unittest.TestCase):
    def test_clock_times_are_heard_with_their_part_of_the_day(self):
        for heard, expected in (
            ("thursday at nine thirty in the morning or at two fifteen in the afternoon which one would you like",
             [("9:30", "morning", "nine thirty"), ("14:15", "afternoon", "two fifteen")]),
            ("i also have four forty five p m", [("16:45", "afternoon", "four forty five")]),
            ("december third at eleven o'clock", [("11:00", "morning", "eleven o'clock")]),
            ("which one would you prefer", []),
        ):
            self.assertEqual(model.times_in(heard), expected)

    def test_dates_are_heard_as_a_person_writes_them(self):
        self.assertEqual(model.date_in("on monday december twenty first at ten"), "December 21")
        self.assertIsNone(model.date_in("on monday"))

    def test_menus_are_read_in_both_orders(self):
        options = [("1", "billing"), ("2", "make an appointment")]
        self.assertEqual(model.menu_of("press one for billing press two to make an appointment", []), options)
        self.assertEqual(model.menu_of("for billing press one to make an appointment press two", []), options)
        self.assertEqual(model.menu_of("", ["[menu as understood: 1 = billing; 2 = make an appointment]"]), options)
        self.assertEqual(model.best_key(options, "Schedule a visit to Doctor Weber"), "2")


if __name__ == "__main__":
    unittest.main()
