"""Requests that meet: each is answered as if it had come before or after the others, never in between."""

import concurrent.futures
import hashlib
import itertools

AT_ONCE = 6


def all_at_once(*calls):
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return [f.result() for f in [pool.submit(*call) for call in calls]]


def put(server, name, version, file):
    return server.curl(f"/api/firmware/{name}/{version}/image.bin", "-T", file)


def files(server, tmp_path, contents):
    made = []
    for i, content in enumerate(contents):
        made.append(tmp_path / f"file-{i}")
        made[-1].write_bytes(content)
    return made


def test_the_same_upload_several_times_at_once(shared, tmp_path):
    for round in range(4):
        content = f"the same bytes {round}".encode() * 1000
        [file] = files(shared, tmp_path, [content])
        replies = all_at_once(*[(put, shared, "same", round, file)] * AT_ONCE)
        assert sorted(r.status for r in replies) == [200] * (AT_ONCE - 1) + [201], replies
        assert len({r.json()["id"] for r in replies}) == 1
        assert len({r.json()["sequence"] for r in replies}) == 1
        assert shared.curl(f"/api/firmware/{replies[0].json()['id']}/file").body == content


def test_one_version_with_other_bytes_at_once(shared, tmp_path):
    for round in range(4):
        contents = [f"bytes {round} of {i}".encode() * 1000 for i in range(AT_ONCE)]
        made = files(shared, tmp_path, contents)
        replies = all_at_once(*[(put, shared, "other", round, file) for file in made])
        assert sorted(r.status for r in replies) == [201] + [409] * (AT_ONCE - 1), replies
        won = next(i for i, r in enumerate(replies) if r.status == 201)
        firmware = replies[won].json()
        assert firmware["sha256"] == hashlib.sha256(contents[won]).hexdigest()
        assert shared.curl(f"/api/firmware/{firmware['id']}/file").body == contents[won]
    listed = shared.api("GET", "/api/firmware?name=other", expect=200).json()["items"]
    assert sorted(f["sequence"] for f in listed) == [1, 2, 3, 4], "a refused upload takes no number"


def test_uploading_again_what_is_being_deleted(shared, tmp_path):
    content = b"bytes of several versions" * 1000
    [file] = files(shared, tmp_path, [content])
    old = put(shared, "again", 0, file).json()["id"]
    for version in range(1, 6):
        deleted, made = all_at_once((shared.api, "DELETE", f"/api/firmware/{old}"),
                                    (put, shared, "again", version, file))
        assert deleted.status == 204 and made.status == 201
        old = made.json()["id"]
        assert shared.curl(f"/api/firmware/{old}/file").body == content


def test_a_report_and_a_cancellation(shared):
    """Whichever comes first holds for both."""
    outcomes = set()
    who = shared.enrol("racer", "race")
    release = shared.publish("race", "1", b"race")["id"]
    for round in range(8):
        made = shared.api("POST", "/api/deployments", {
            "release": release, "target": {"kind": "device", "value": "racer"}}, expect=201).json()["id"]
        action = shared.curl("/api/update?version=0", who=who).json()["action"]
        report = (shared.api, "POST", f"/api/update/{action}/status", {"state": "installing"}, who)
        cancel = (shared.api, "POST", f"/api/deployments/{made}/cancel", {})
        replies = all_at_once(*([report, cancel] if round % 2 else [cancel, report]))
        reported, cancelled = replies if round % 2 else reversed(replies)
        assert cancelled.status == 200
        [now] = shared.api("GET", f"/api/deployments/{made}/actions").json()["items"]
        assert (reported.status, now["state"]) in ((204, "installing"), (410, "cancelled"))
        outcomes.add(now["state"])
        if now["state"] == "installing":  # it may finish
            shared.api("POST", f"/api/update/{action}/status", {"state": "failed"}, who, expect=204)
        else:
            assert shared.curl("/api/update?version=0", who=who).status == 204
    print(outcomes)


def test_polls_at_once_make_one_action(shared):
    who = shared.enrol("poller", "poll")
    for version in range(4):
        release = shared.publish("poll", str(version), b"poll %d" % version)["id"]
        shared.api("POST", "/api/deployments", {"release": release, "target": {"kind": "all"}}, expect=201)
        polls = [(shared.curl, "/api/update?version=none", "-H", f"X: {i}") for i in range(AT_ONCE)]
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            replies = list(pool.map(lambda call: call[0](*call[1:], who=who), polls))
        assert {r.status for r in replies} == {200}
        assert len({r.json()["action"] for r in replies}) == 1
        assert {r.json()["release"]["id"] for r in replies} == {release}


def test_pages_while_rows_come(shared):
    """What was there when the walk began is seen once; what comes meanwhile is seen once or not at all."""
    def publish(i):
        shared.publish("walk", str(i), b"%d" % i, model="walk")
        return i

    for i in range(12):
        publish(i)
    more = itertools.count(12)
    seen, after = [], ""
    while after is not None:
        page = shared.api("GET", f"/api/firmware?model=walk&limit=3&after={after}" if after else
                          "/api/firmware?model=walk&limit=3", expect=200).json()
        seen += [int(f["version"]) for f in page["items"]]
        after = page["next"]
        publish(next(more))
    assert len(seen) == len(set(seen))
    assert set(range(12)) <= set(seen)
