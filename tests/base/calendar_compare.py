#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares base/calendar.c with systemd-analyze calendar: normalised forms, elapses, refusals.

usage: calendar_compare.py TOOL [SEED [COUNT]]

Besides the fixed list below COUNT expressions are made from SEED. A run without a seed, as in the suite, is
the same each time, and takes a sample of the zones and base times; with one it takes all of them. Where a
difference is found by other seeds, it belongs into the fixed list once it is understood.
With a systemd that is not in COMPARED differences are told, and the exit code is 0: a new version of systemd is
no fault of ours. Skipped (exit code 77) without systemd-analyze.
"""
import concurrent.futures
import datetime
import itertools
import os
import random
import re
import subprocess
import sys
import threading
import time
import zoneinfo

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tools  # pylint: disable=wrong-import-position

ITERATIONS = 6
SAMPLE = 50
DEFAULT_SEED = 252
ZONES = [
    "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns",
    "Africa/Casablanca", "Pacific/Apia", "Europe/Dublin", "CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT",
]

# Near the ends of years, leap days, and changes of the offset, in UTC.
BASES = [
    "2000-02-28 23:59:59", "2006-10-29 02:00:00", "2011-12-29 20:00:00", "2015-12-31 22:59:59",
    "2018-10-28 00:10:00", "2019-03-31 00:30:00", "2020-02-27 12:00:00", "2021-03-27 23:30:00", "2021-04-03 14:50:00",
    "2021-10-02 15:20:00", "2022-03-13 06:40:00", "2022-11-06 05:30:00", "2022-12-31 23:59:30",
    "2023-03-26 00:59:59", "2023-10-29 00:45:00", "2024-03-10 01:20:00", "2024-12-28 06:00:00", "2037-10-24 23:00:00",
    "2096-12-31 00:00:00",
]

# Where systemd is wrong and reeve is not, or reeve means something else: (versions that differ, of those compared; zone,
# base time, expression, reason). Not compared there, but shown to differ in just these versions, so that the table does
# not outlive what it excuses.
COMPARED = (252, 257, 262)
WRONG_IN_SYSTEMD = [
    (COMPARED, "Europe/Berlin", "2022-10-30 00:58:00", "minutely",
     "with `*` for the hour reeve goes on in an hour that comes twice, and systemd is silent until it is over"),
    (COMPARED, "Europe/Berlin", "2022-10-30 01:10:00", "02:30",
     "a time of day comes once, also for whoever asks when the clock shows it for the second time"),
    (COMPARED, "Africa/Casablanca", "2024-03-10 01:20:00", "Tue..Saturday,Wed..Sun,Tuesday 3~21..22,25 02,7:*",
     "for the same reason, where the search itself has led into the second pass"),
    ((252,), "UTC", "2022-12-28 00:00:00", "*-*-1,20/7",
     "day 34 of December becomes 3 January, and the first is missed"),
    (COMPARED, "America/New_York", "2006-10-29 02:00:00", "8,0/10:16",
     "30:00 becomes 06:00 after the change of that day; going back to 00:00 it keeps the new offset, and 00:16 is missed"),
    (COMPARED, "Africa/Casablanca", "2024-12-28 06:00:00", "1/5,1-*",
     "month 16 becomes April, with another offset than 1 January, which is missed in the same way"),
    (COMPARED, "UTC", "2026-12-31 19:00:00", "0/5:00",
     "hour 25 of the last day of a month becomes 01:00 of the next one, and its midnight is missed"),
    (COMPARED, "UTC", "2000-02-28 23:59:30", "*:*:0/59",
     "second 118 of the last minute of a day becomes 00:00:58, and midnight is missed in the same way"),
    (COMPARED, "Europe/Dublin", "2027-03-27 18:00:00", "1,13:30",
     "where winter is the daylight saving time, a time that is left out in spring takes the rest of its day along"),
    (COMPARED, "Europe/Berlin", "2023-01-10 00:00:00", "03:00 CEST",
     "a local abbreviation for the season that is not now never elapses; here it is an offset"),
    (COMPARED, "Europe/Dublin", "2020-02-27 12:00:00", "*-*~1..7/2",
     "behind a gap with negative saving it goes on with the offset before it, and counts days of the month wrongly"),
    (COMPARED, "Europe/Dublin", "2016-03-26 00:00:00", "3,11-09,06,27",
     "for the same reason it misses November"),
]

EXPRESSIONS = """
Thu,Fri 2012-*-1,5 11:12:13|Sat,Thu,Mon..Wed,Sat..Sun|Mon,Sun 12-*-* 2,1:23|Wed *-1|Wed..Wed,Wed *-1
Wed, 17:48|Wed..Sat,Tue 12-10-15 1:2:3|*-*-7 0:0:0|10-15|monday *-12-* 17:00|Mon,Fri *-*-3,1,2 *:30:45
12,14,13,12:20,10,30|12..14:10,20,30|mon,fri *-1/2-1,3 *:30:45|03-05 08:05:40|08:05:40|05:40
Sat,Sun 12-05 08:05:40|Sat,Sun 08:05:40|2003-03-05 05:40|05:40:23.4200004/3.1700005|2003-02..04-05
2003-03-05 05:40 UTC|2003-03-05|03-05|minutely|hourly|daily|daily UTC|monthly|weekly|weekly Pacific/Auckland
yearly|annually|anually|quarterly|semiannually|semi-annually|biannually|bi-annually|MINUTELY|Daily utc|*:2/3
*-02~03|Mon *-05~07/1|*-*~1|*~1|*-*~28|*-*~01,25|*-*~1..3|*-*~1..7/2|*-02~1 23:59:59|Sun *-*~1..7|*-*~5/2
*-02-29|Mon *-02-29|*-02-30|*-02-29..31|*-04,06-31|*-*-31|*-*-29..31|*-*-30/1|2024-02-29 12:00|2199-12-31 23:59:59
2096/4-02-29|2000..2100/25-1-1|2198..2199-1-1|1970-1-1|69-1-1|70-1-1|0-1-1|99-12-31|24-2-29|*/2-1-1
00:00|23:59:59|24:00|*:60|*:*:60|*:*:59.9999999|*:*:59.999999|*:*:*|*:*|*|*-*|*-*-*|*-*-* *|*-*-* *:*|*:*:*/2
02:30|02:00|02:59:59|03:00|01:00|01:30|00:30|23:30|*:0/15|*:0/20:30|*:15,45|0/2:0|1/2:0|2..3:0/10|0..23:00
Sun 02:30|Sun 01..03:00/30|*-03,10-* 02:30|Sun *-03-25..31 02:30|*-*-* 02:*:00|*-11-1..7 01:30|*-04-1..7 01:45
02:30 Europe/Berlin|01:30 Europe/London|hourly Australia/Lord_Howe|*:0/30 America/St_Johns|daily Pacific/Apia
02:00 Africa/Casablanca|Sun *-*-* 01:00:00 Europe/Dublin|*:0/10 Asia/Kathmandu|Mon..Fri 09:30 America/New_York
2:00 posixrules|2:00 Etc/GMT+5|2:00 Etc/UTC|2:00 Etc/GMT|2:00 MET|2:00 Asia/Tehran|2:00 America/Sao_Paulo UTC
2:00 europe/berlin|2:00 Europe/Nowhere|2:00 Europe|2:00 ../zoneinfo/UTC|2:00 /usr/share/zoneinfo/UTC|2:00 Europe//Berlin
2:00 Europe/Berlin/|2:00 Europe/./Berlin|2:00 zone.tab|2:00  UTC|2:00 UTC |UTC| UTC|Europe/Berlin| Europe/Berlin|2:00 +5
@0|@5|@1700000000|@4102444800 UTC|Mon @1700000000|@1700000000 Europe/Berlin|@|@ 5|@+5|@-0|@-5|@7000000000
@7258118399|@7258118400|@99999999999999999999|@1.5|@5 03:00|@5x|Fri @4102444800
xyz||3|3 |2:00 | 2:00|1:2:3:4|+1:00|0x1:00|1:0x1|1::2|:1|1:|1:1:|1,2,3,,4:00|,1:00|1,:00|1..:00|..1:00|1...2:00
Mon,|Mon, |Mon,,|Mon,,Tue|Mon..|Mon.. 3:00|Mon-Fri|Mon-Fri 3:00|Mon-|Mon..Wed..Fri|Fri..Mon|Mon.Tue|Mon3:00|Mo|Mond
Monday..friday|MON,tUe 1:00|Mon Tue|Mon  Tue|Mon   3:00|Mon..Sun 4:00|Mon,Tue,Wed,Thu,Fri,Sat,Sun 4:00|Mon,Wed,Fri
Sat..Sun|Mon,Tue 5:00|Mon..Wed,Fri..Sun|Tue,,|Mon_3:00|Mon\t3:00
0/0:0|0/1:0|0/23:0|0/24:0|1/23:0|*:0/59|*:0/60|*:1/59|*-1/11-1|*-1/12-1|*-2/11-1|*-*-1/30|*-*-2/30|*-*-1/31
9..5:0|1..1:0|*:0..1/1|*:0..59/7|*:0..59/60|*-1..12/13-1|*-1..12/11-1|0..22/5:0|5..6/4:0|*:5..5/3|*:*:0..0|*:*:1..1
*:*:1..3|*:*:1..3/1|*:*:1.5..3.5|*:*:1.5..2|*:*:1.5..2/0.25|*:*:0/0.3|*:*:0/1|*:*:0/1,5|*:*:5,0/1|*:*:0/59|*:*:0/60
*:*:0.5|*:*:0.5/0.25|*:*:0.0000001|*:*:0.0000005|*:*:1.|*:*:1.x|*:*:.5|*:*:1..2.5|*:*:1...5|*:*:0/0.0000001
*:*:0.1..0.9/0.2|*:*:0..0.5/0.1|3:00:00.1234567|*:*:0/0.000001|*:*:59/1|*:*:58/1|1.5:00|*:1.5|*-*-1.5
*-*~29|*-*~31|*-*~0|*-*~01,28|*-*~3..1|*-*~03/2..1|*-*~28/27|*-*~28/28|*-*~2/1|*-*~1/1|*-*~*|*~*|*~*-1|*~1-1
*-*-0|*-0-1|*-13-1|*-*-32|1969-1-1|2200-1-1|2022-1/15-3|100-1-1|1970/229-1-1|1970/230-1-1|2147483648:0|9999999999-1-1
99999999999999999999:00|2022-01-01-01|2022-01-01T03:00|2022-01-01  03:00|2022-01-01 |2022-01-01 03:00 x|2022-1-1 3
*-1,7,3,3,1-5,5,1|5,5,5:0|1..5,3..4,1..5:0|8..18/2,9..17/4,23:00/20|*-*-1..7,15..21|*-*-10..20/3,1
12:00:00,30|12:0,30:0/10|*-12-31 23:59:59.999999|*-1-1 0:0:0.000001
""".strip("\n")


class Generator:
    """Expressions from a seed: mostly good ones, some with a value out of range or a letter lost."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def number(self, low, high, fraction):
        text = str(self.random.randint(low, high))
        if self.random.random() < 0.2:
            text = text.zfill(2)
        if fraction and self.random.random() < 0.3:
            text += "." + "".join(self.random.choices("0123456789", k=self.random.randint(1, 8)))
        return text

    def span(self, low, high, fraction):
        text = self.number(low, high, fraction)
        kind = self.random.random()
        if kind < 0.25:
            text += ".." + self.number(int(float(text)), high, fraction)
            if self.random.random() < 0.5:
                text += "/" + self.number(1, max(2, (high - low) // 3), fraction)
        elif kind < 0.45:
            text += "/" + self.number(1, max(2, (high - low) // 2), fraction)
        return text

    def field(self, low, high, fraction=False, any_part=0.4):
        if self.random.random() < any_part:
            return "*"
        count = self.random.choice([1, 1, 1, 2, 3])
        return ",".join(self.span(low, high, fraction) for _ in range(count))

    def weekdays(self):
        days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
        parts = []
        for _ in range(self.random.choice([1, 1, 2, 3])):
            ends = sorted(self.random.sample(range(7), self.random.choice([1, 2])))
            names = [days[i] if self.random.random() < 0.2 else days[i][:3] for i in ends]
            parts.append("..".join(names))
        return ",".join(parts)

    def date(self):
        day = self.random.choice("--~")
        text = self.field(1, 12) + day + self.field(1, 31 if day == "-" else 28)
        if self.random.random() < 0.6:
            text = self.field(self.random.choice([1970, 2000, 2015]), 2060, any_part=0.8) + "-" + text
        return text

    def time(self):
        text = self.field(0, 23) + ":" + self.field(0, 59)
        if self.random.random() < 0.5:
            text += ":" + self.field(0, 59, fraction=True)
        return text

    def expression(self):
        parts = []
        if self.random.random() < 0.3:
            parts.append(self.weekdays())
        if self.random.random() < 0.6:
            parts.append(self.date())
        if self.random.random() < 0.8 or not parts:
            parts.append(self.time())
        if self.random.random() < 0.15:
            parts.append(self.random.choice(ZONES[:9]))
        text = " ".join(parts)
        if self.random.random() < 0.1:
            at = self.random.randrange(len(text))
            text = text[:at] + self.random.choice(["", "-", ":", "9", ".", "..", " ", "/", "~"]) + text[at + 1:]
        return text


def seconds_of(stamp):
    moment = datetime.datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S")
    return int(moment.replace(tzinfo=datetime.timezone.utc).timestamp())


def environment(zone):
    return dict(os.environ, TZ=zone, LC_ALL="C", SYSTEMD_COLORS="0", SYSTEMD_LOG_LEVEL="err")


def ask_reeve(tool, zone, base, expressions):
    """For each expression None (refused), or its normalised form and the elapses in seconds."""
    result = subprocess.run(
        [tool, str(seconds_of(base)), str(ITERATIONS)], input="".join(e + "\n" for e in expressions), text=True,
        capture_output=True, env=environment(zone), check=True)
    answers = {}
    for expression, line in zip(expressions, result.stdout.splitlines(), strict=True):
        form, *elapses = line.split("\t")
        refused = form.startswith("refused ")
        answers[expression] = None if refused else (form, [int(e.split(".")[0]) for e in elapses])
    return answers


STAMP = re.compile(r"\w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (.*)")


class Unreadable(Exception):
    """An answer of systemd-analyze has another form than those of the versions that were compared."""


class NoUtc(Unreadable):
    """An answer is in local time alone, by an abbreviation that does not tell the offset."""


def read_elapses(lines):
    """The moments of a block, from its "(in UTC)" lines. systemd-analyze leaves them out where it believes that the
    zone is UTC, which with several expressions in one call may be that of an earlier one."""
    local, moments = None, []
    for name, value in lines + [("", "")]:
        stamp = STAMP.fullmatch(value)
        if stamp and name == "(in UTC)":
            moments.append(seconds_of(stamp[1]))
            local = None
            continue
        if local:
            offset = re.fullmatch(r"UTC|([+-]\d\d)(\d\d)?", local[2])
            if not offset:
                raise NoUtc(local[0])
            hours, minutes = int(offset[1] or 0), int(offset[2] or 0)
            moments.append(seconds_of(local[1]) - hours * 3600 - (minutes if hours >= 0 else -minutes) * 60)
            local = None
        if stamp and name.startswith(("Next", "Iter")):
            local = stamp
    return moments


def call_systemd(zone, base, expressions):
    return subprocess.run(
        ["systemd-analyze", "calendar", f"--base-time={base} UTC", f"--iterations={ITERATIONS}", "--", *expressions],
        text=True, capture_output=True, env=environment(zone), check=False)


def ask_systemd(zone, base, expressions):
    """As ask_reeve(), from the text for people: blocks of "Name: value" lines, refused ones left out."""
    result = call_systemd(zone, base, expressions)
    failed = set(re.findall(r"Failed to parse calendar specification '(.*)': ", result.stderr))
    stuck = set(re.findall(r"Failed to determine next elapse for '(.*)': ", result.stderr))
    answers = {e: None for e in expressions}
    blocks = iter([b for b in re.split(r"\n\s*\n|\n$", result.stdout) if b.strip()])
    for expression in expressions:
        if expression in failed:
            continue
        if expression in stuck:
            answers[expression] = "stuck"
            continue
        block = next(blocks, "")
        lines = [tuple(line.strip().split(": ", 1)) for line in block.splitlines() if ": " in line]
        form = dict(lines).get("Normalized form")
        if form is None or dict(lines).get("Original form", form).strip() != expression.strip():
            raise Unreadable(f"where {expression!r} was next systemd-analyze says:\n{block}{result.stderr[-300:]}")
        try:
            answers[expression] = (form, read_elapses(lines))
        except NoUtc:
            if len(expressions) == 1:
                raise
            answers.update(ask_systemd(zone, base, [expression]))
    return answers


def show(answer):
    if not isinstance(answer, tuple):
        return {None: "refused"}.get(answer, answer)
    stamps = [datetime.datetime.fromtimestamp(e, datetime.timezone.utc).strftime("%F %T") for e in answer[1]]
    return f"{answer[0]} | {', '.join(stamps) or 'never'}"


FORM = re.compile(r"(?:[A-Z]\S* )?[^ -]+-([^-~]+)[-~](\S+) ([^:]+):([^:]+):(\S+).*")
NEGATIVE_SAVING = ("Europe/Dublin", "Africa/Casablanca")


def before_dublins_gap(seconds):
    """Within the hour before the one that is left out in Dublin, where winter is the daylight saving time."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return moment.month == 3 and moment.day >= 25 and moment.weekday() == 6 and moment.hour == 0


ZONE_LOCK = threading.Lock()


def comes_again(zone, seconds):
    """Whether the local time at this moment is that of an earlier moment, too: the clock has been put back."""
    with ZONE_LOCK:
        before = os.environ.get("TZ")
        os.environ["TZ"] = zone
        time.tzset()
        local = time.localtime(seconds)
        again = any(time.localtime(seconds - back)[:6] == local[:6] for back in (1800, 3600, 7200))
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()
    return again


def follows_a_gap(zone, seconds):
    """Whether the clock was put forward within the day before this moment."""
    offsets = [datetime.datetime.fromtimestamp(moment, zoneinfo.ZoneInfo(zone)).utcoffset()
               for moment in (seconds - 86400, seconds)]
    return offsets[1] > offsets[0]


def excused(zone, base, ours, theirs):
    """Whether they differ as the examples in WRONG_IN_SYSTEMD do, which generated expressions run into."""
    if not isinstance(ours, tuple) or not isinstance(theirs, tuple) or ours[0] != theirs[0]:
        return False
    pairs = list(itertools.zip_longest(ours[1], theirs[1]))
    first = next(i for i, (mine, other) in enumerate(pairs) if mine != other)
    mine, other = pairs[first]
    before = ours[1][first - 1] if first > 0 else seconds_of(base)
    if (zone == "Europe/Dublin" or "Europe/Dublin" in ours[0]) and before_dublins_gap(before):
        return True
    fields = FORM.fullmatch(ours[0])
    *_, word = ours[0].split(" ")
    own = word if word[0].isalpha() else zone
    if fields[3] == "*" and mine is not None and (other is None or mine < other) and comes_again(own, mine):
        return True
    # A time of day that came in the first pass does not in the second.
    if fields[3] != "*" and other is not None and (mine is None or other < mine) and comes_again(own, other):
        return True
    # A time that is left out takes nothing along.
    if own in NEGATIVE_SAVING and mine is not None and (other is None or mine < other) and follows_a_gap(own, mine):
        return True
    # A repetition without an end runs over the minute, hour, day, month or year, and theirs misses what is first then.
    spans = ",".join(fields.groups()).split(",")
    runs_over = any(re.fullmatch(r"[\d.]+/[\d.]+", span) for span in spans)
    return runs_over and mine is not None and (other is None or mine < other)


def compare(tool, zone, base, expressions):
    """The differences in one zone after one base time, as texts."""
    ours = ask_reeve(tool, zone, base, expressions)
    try:
        theirs = ask_systemd(zone, base, expressions)
    except Unreadable as answer:
        return [f"in {zone} after {base}: {answer}"]
    # After 1000 steps systemd is stuck; we may then know more.
    return [f"{expression!r} in {zone} after {base}:\n  reeve:   {show(ours[expression])}\n"
            f"  systemd: {show(theirs[expression])}"
            for expression in expressions
            if theirs[expression] not in (ours[expression], "stuck")
            and not excused(zone, base, ours[expression], theirs[expression])]


def systemd_version():
    text = subprocess.run(["systemd-analyze", "--version"], text=True, capture_output=True, check=True).stdout
    return int(re.match(r"systemd (\d+)", text)[1])


def check_exceptions(tool, version):
    """The lines of the table that are not true of this version, as texts; of one in between the nearest earlier counts."""
    compared = max((v for v in COMPARED if v <= version), default=COMPARED[0])
    stale = []
    for versions, zone, base, expression, reason in WRONG_IN_SYSTEMD:
        try:
            differs = ask_reeve(tool, zone, base, [expression]) != ask_systemd(zone, base, [expression])
        except Unreadable as answer:
            stale.append(f"{expression!r} in {zone}: {answer}")
            continue
        if differs != (compared in versions):
            stale.append(f"{expression!r} in {zone} {'differs' if differs else 'is no longer different'} "
                         f"with systemd {version}: {reason}")
    return stale


def judge(version, differences, stale):
    """The exit code. A version that nobody has compared yet is told in a line that the summary shows."""
    found = f"answers that differ: {len(differences)}, lines of the table that are not true of it: {len(stale)}"
    if version in COMPARED:
        return 1 if differences or stale else 0
    todo = "They are above; once understood they" if differences or stale else "It"
    print(f"NOTE: systemd {version} has not been compared before, as {', '.join(map(str, COMPARED))} have: {found}. "
          f"{todo} can go into COMPARED and WRONG_IN_SYSTEMD of tests/base/calendar_compare.py; until then no failure")
    return 0


def main():
    tool = sys.argv[1]
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else DEFAULT_SEED
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 150
    tools.need_or_exit("systemd-analyze")
    generator = Generator(seed)
    expressions = [e for line in EXPRESSIONS.split("\n") for e in line.split("|")]
    expressions += [generator.expression() for _ in range(count)]
    expressions = list(dict.fromkeys(expressions))
    places = [(zone, base) for zone in ZONES for base in BASES]
    if len(sys.argv) <= 2:
        places = generator.random.sample(places, SAMPLE)
    print(f"seed {seed}: {len(expressions)} expressions, {len(places)} zones and base times", flush=True)
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        results = list(executor.map(lambda place: compare(tool, *place, expressions), places))
    differences = [text for texts in results for text in texts]
    version = systemd_version()
    stale = check_exceptions(tool, version)
    for text in differences + stale:
        print(text)
    print(f"{len(differences)} differ from systemd {version} (seed {seed})")
    return judge(version, differences, stale)


if __name__ == "__main__":
    sys.exit(main())
