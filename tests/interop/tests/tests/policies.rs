//! Policies: the same texts and facts on both crates, and one that decides at an outlet.

use interop::Side::{Ours, Real};
use interop::{MIXED, Peer, Side};
use postern_testkit::{Service, client};

const SOMEBODY: &str = "I69c228786aec9341b3c1912423ae769f63200ceb553a2eba4c5b262b6766fc7c";

/// What is known: name, type and value.
const FACTS: [(&str, &str, &str); 13] = [
    ("subject.identifier", "text", SOMEBODY),
    ("subject.has_credential", "bool", "true"),
    ("subject.group", "text", "friends"),
    ("subject.admin", "text", "true"),
    ("subject.guest", "text", "false"),
    ("subject.a-b.c_d", "text", "deep"),
    ("subject.age", "text", "42"),
    ("resource.id", "text", "web"),
    ("resource.ports", "texts", "80,443"),
    ("resource.level", "integer", "3"),
    ("resource.load", "float", "0.5"),
    ("action.id", "text", "handle_message"),
    ("subject.and", "text", "true"),
];

const YES: &str = "true";
const NO: &str = "false";
/// Missing facts, wrong types, wrong arguments, no boolean: denied.
const UNDECIDED: &str = "undecided";
const UNREADABLE: &str = "unreadable";

const TABLE: &[(&str, &str)] = &[
    // Comparing.
    (r#"(= subject.group "friends")"#, YES),
    (r#"(= subject.group "strangers")"#, NO),
    (r#"(!= subject.group "strangers")"#, YES),
    (r#"(!= subject.group "friends")"#, NO),
    (r#"(= subject.group "friends" "friends")"#, YES),
    (r#"(= "a" "a" "b")"#, NO),
    (r#"(!= "a" "a" "b")"#, YES),
    (r#"(= "a" "b" 1)"#, NO),
    (r#"(= "a" "a" 1)"#, UNDECIDED),
    ("(= resource.level 3)", YES),
    ("(= resource.level 3.0)", UNDECIDED),
    ("(< resource.level 4 5)", YES),
    ("(< resource.level 4 4)", NO),
    ("(> resource.level -1 -0x10)", YES),
    ("(> resource.load 0.25)", YES),
    ("(< resource.load +inf)", YES),
    ("(= nan nan)", NO),
    ("(< nan 1.0)", NO),
    ("(< 1_000 1_001)", YES),
    ("(= 1e3 1000.0)", YES),
    (r#"(< "abc" "abd")"#, YES),
    ("(< false true)", YES),
    (r#"(= resource.ports ["80" "443"])"#, YES),
    (r#"(= resource.ports ["80"])"#, NO),
    ("(< [9] [1 2])", YES),
    ("(< [1 2] [1 3])", YES),
    ("(> [] [])", NO),
    ("(= () ())", YES),
    ("(= 1)", UNDECIDED),
    ("(< 1)", UNDECIDED),
    ("(!= 1)", NO),
    ("(!=)", NO),
    // Joining.
    (r#"(and (= subject.admin "true") (= action.id "handle_message"))"#, YES),
    (r#"(and (= subject.admin "false") (= subject.nothing "x"))"#, NO),
    (r#"(and (= subject.nothing "x") (= subject.admin "false"))"#, UNDECIDED),
    (r#"(or (= subject.admin "true") (= subject.nothing "x"))"#, YES),
    (r#"(or (= subject.nothing "x") (= subject.admin "true"))"#, UNDECIDED),
    (r#"(or false (= resource.id "web"))"#, YES),
    ("(or true (frobnicate 1))", YES),
    ("(or false (frobnicate 1))", UNDECIDED),
    ("(and true 1)", UNDECIDED),
    ("(and 1 true)", UNDECIDED),
    (r#"(not (= subject.group "friends"))"#, NO),
    ("(not (= subject.has_credential true))", NO),
    // This is the short form, of an attribute `subject.has_credential`.
    ("(not subject.has_credential)", UNDECIDED),
    ("(not subject.group)", UNDECIDED),
    ("(not true false)", UNDECIDED),
    ("(= subject.has_credential true)", YES),
    // Choosing and looking.
    (r#"(if (= resource.id "web") (= subject.group "friends") false)"#, YES),
    ("(if false (frobnicate) true)", YES),
    (r#"(if true "yes" "no")"#, UNDECIDED),
    ("(if true true)", UNDECIDED),
    (r#"(member? subject.group ["family" "friends"])"#, YES),
    (r#"(member? "22" resource.ports)"#, NO),
    (r#"(member? subject.age ["41" subject.age])"#, UNREADABLE),
    (r#"(member? subject.age [subject.age subject.group])"#, YES),
    (r#"(member? 1 ["1"])"#, UNDECIDED),
    (r#"(member? "x" [])"#, NO),
    (r#"(member? "x" "xyz")"#, UNDECIDED),
    ("(exists? subject.group resource.id)", YES),
    ("(exists? subject.group subject.nothing)", NO),
    ("(exists? subject.nothing 1)", NO),
    ("(exists? 1)", UNDECIDED),
    ("(exists?)", YES),
    // Writing it down.
    (r#"= subject.group "friends""#, YES),
    (
        r#"  (= subject.group ;; who
           "friends" (; and (; so ;) on ;))  "#,
        YES,
    ),
    (r#"(= "\66\72\69\65\6e\64\73" subject.group)"#, YES),
    (r#"(= "\u{fc}\t\"\\" "ü\09\22\5c")"#, YES),
    (r#"((= 1 1))"#, UNDECIDED),
    (r#"(and (1 2))"#, UNDECIDED),
    (r#"(= subject.group "friends"#, UNREADABLE),
    (r#"(= subject.group "friends""#, UNREADABLE),
    ("(= [1 2) 1)", UNREADABLE),
    (r#"(member? 1 [1 "2"])"#, UNREADABLE),
    ("(= 1 99999999999999999999)", UNREADABLE),
    ("(= 1 .5)", UNREADABLE),
    (r#"(= "\q" "q")"#, UNREADABLE),
    (r#"(= "\ff" "x")"#, UNREADABLE),
    ("(= #a 1)", UNREADABLE),
    ("(subject.group)(", UNREADABLE),
    ("(frobnicate 1)", UNREADABLE),
    ("", UNREADABLE),
    // The short form.
    ("admin", YES),
    ("guest", NO),
    ("nobody", UNDECIDED),
    ("not guest", YES),
    ("not admin", NO),
    ("not not admin", YES),
    ("group=friends", YES),
    ("group=strangers", NO),
    (r#"group="friends""#, YES),
    ("a-b.c_d=deep", YES),
    (SOMEBODY, YES),
    ("I0000000000000000000000000000000000000000000000000000000000000001", NO),
    ("guest or admin", YES),
    ("guest and nobody", NO),
    ("nobody or admin", UNDECIDED),
    ("admin or guest and guest", YES),
    ("(admin or guest) and guest", NO),
    ("not guest and admin or guest", YES),
    ("not (guest or admin)", NO),
    (" ( ( admin )and(group=friends) ) ", YES),
    ("admin\tand\nnot guest", YES),
    ("(and)", YES),
    ("(or)", UNDECIDED),
    ("true", UNDECIDED),
    (" admin", UNREADABLE),
    ("admin ", UNREADABLE),
    ("admin and", UNREADABLE),
    ("admin guest", UNREADABLE),
    ("group=", UNREADABLE),
    ("group==friends", UNREADABLE),
    (".admin", UNREADABLE),
    ("1admin", UNREADABLE),
    ("()", UNREADABLE),
    ("na*me", UNREADABLE),
];

/// A node that knows the facts.
fn informed(side: Side) -> Peer {
    let peer = Peer::start(side);
    for (name, kind, value) in FACTS {
        peer.tell(&format!("fact {name} {kind} {value}"));
    }
    peer
}

#[test]
fn both_implementations_decide_the_same() {
    assert!(TABLE.len() >= 60);
    let peers = [Real, Ours].map(informed);
    let decided = |policy: &str| peers.each_ref().map(|peer| peer.tell(&format!("decide {}", hex::encode(policy))));
    let other = TABLE.iter().filter_map(|(policy, wanted)| {
        let [real, ours] = decided(policy);
        (real != *wanted || ours != *wanted).then(|| format!("{policy}\n  wanted {wanted}, real {real}, ours {ours}"))
    });
    let other: Vec<String> = other.collect();
    assert!(other.is_empty(), "{}", other.join("\n"));
}

/// What a real node reads in a way that nobody means is not read by ours, and so denied.
#[test]
fn our_policies_refuse_what_the_other_parser_misreads() {
    let (real, ours) = (informed(Real), informed(Ours));
    for (policy, theirs) in [
        // `not ary`, `a or b`, `a and roid`.
        ("notguest", YES),
        ("admin orguest", YES),
        ("admin andadmin", YES),
        (r#"(= $subject.group "friends")"#, YES),
        (r#"= subject.group "friends")"#, YES),
        (r#"(= subject.group "friends"))"#, UNDECIDED),
    ] {
        let policy = format!("decide {}", hex::encode(policy));
        assert_eq!((real.tell(&policy).as_str(), ours.tell(&policy).as_str()), (theirs, UNREADABLE), "{policy}");
    }
}

#[test]
fn a_policy_over_attributes_decides_at_an_outlet() {
    let policy = r#"(and (= subject.group "friends") (member? subject.level ["high" "highest"]))"#;
    for (asks, answers) in MIXED {
        let service = Service::echo();
        let authority = Peer::start(asks);
        let history = authority.identity("").history;
        let (owner, bob) = Peer::with_identity(answers);
        let address = owner.tell("listen");
        owner.tell(&format!("trust {history}"));
        owner.tell("listener listener");
        owner.tell(&format!("outlet {} {}", service.address(), hex::encode(policy)));

        let friend = |attributes: &str| {
            let (friend, identity) = Peer::with_identity(asks);
            if !attributes.is_empty() {
                let credential = authority.tell(&format!("issue {} {attributes}", identity.history));
                friend.tell(&format!("hold {credential}"));
            }
            friend.tell(&format!("connect {address}"));
            assert_eq!(friend.tell("channel listener"), bob.identifier);
            let inlet = friend.tell("inlet").parse().expect("an address");
            (friend, identity.identifier, inlet)
        };
        for attributes in ["", "group=friends", "group=friends level=low", "group=strangers level=high"] {
            let (_friend, identifier, inlet) = friend(attributes);
            let _client = client::connect(inlet);
            assert_eq!(owner.tells("denied"), identifier, "{attributes}");
        }
        assert_eq!(service.accepted(), 0, "{asks:?} reached the service");
        let (_friend, identifier, inlet) = friend("group=friends level=high");
        let mut client = client::connect(inlet);
        std::io::Write::write_all(&mut client, b"hello").expect("it is carried");
        let mut answer = [0; 5];
        std::io::Read::read_exact(&mut client, &mut answer).expect("it is carried");
        assert_eq!(&answer, b"hello");
        assert_eq!(owner.tells("allowed"), identifier);
        assert_eq!(service.accepted(), 1);
    }
}
