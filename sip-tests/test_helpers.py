"""The suite's own ears, tested: `python3 -m unittest discover -s sip-tests`."""

import os
import random
import socket
import tempfile
import time
import types
import unittest

import audio
import crowd
import harness
import model
import pcap
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
