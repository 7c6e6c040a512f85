use super::*;
use crate::identity::{Attributes, Identifier};
use proptest::prelude::*;

const SOMEBODY: Identifier = Identifier::from_bytes([0xab; 32]);

fn context() -> PolicyContext {
    let attributes = Attributes::new(1)
        .with("group", "friends")
        .with("admin", "true")
        .with("identifier", "I am somebody else")
        .with("has_credential", "of course")
        .with("binary", [0xff])
        .with([0xff], "binary");
    PolicyContext::default()
        .with("resource.id", "web")
        .with("action.ports", 80i64)
        .with_subject(&SOMEBODY, Some(&attributes))
}

fn policy(text: &str) -> Policy {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn fault(text: &str) -> (usize, PolicyFault) {
    let error = text.parse::<Policy>().expect_err(text);
    (error.at, error.fault)
}

#[test]
fn it_allows_what_is_true_and_nothing_else() {
    for (text, allowed) in [
        ("(= subject.group \"friends\")", true),
        ("(= subject.group \"strangers\")", false),
        ("= subject.group \"friends\" ;; without the outermost parentheses", true),
        ("group=friends and admin", true),
        ("group=\"friends\" and not (guest=a or admin)", false),
        ("(and (= resource.id \"web\") (> action.ports 79) (< 1.0 2.0 +inf))", true),
        ("(member? subject.group [\"family\" \"friends\"])", true),
        ("(exists? subject.group subject.admin)", true),
        ("(exists? subject.binary)", false),
        ("(if (exists? subject.guest) subject.guest true)", true),
        // Undecided: a fact that is not known, mixed types, no boolean, no operator.
        ("guest", false),
        ("not guest", false),
        ("(!= subject.guest \"true\")", false),
        ("(= subject.group 1)", false),
        ("(not (= subject.group 1))", false),
        ("(and subject.group)", false),
        ("(if true \"yes\" \"no\")", false),
        ("(not (frobnicate))", false),
        ("((and) true)", false),
    ] {
        assert_eq!(policy(text).allows(&context()), allowed, "{text}");
    }
}

#[test]
fn an_attribute_is_not_taken_for_what_the_node_knows() {
    assert!(policy(&SOMEBODY.to_string()).allows(&context()));
    assert!(Policy::default().allows(&context()));
    assert!(!Policy::default().allows(&PolicyContext::default().with_subject(&SOMEBODY, None)));
    assert_eq!(
        Policy::default().decide(&PolicyContext::default()),
        Err(Undecided::Unknown("subject.has_credential".into()))
    );
}

#[test]
fn it_decides_wherever_a_trust_policy_does() {
    let friends = Attributes::new(1).with("group", "friends");
    let trust = TrustPolicy::from(policy("group=friends"));
    assert!(trust.accepts_with(&SOMEBODY, Some(&friends)));
    assert!(!trust.accepts_with(&SOMEBODY, None) && !trust.accepts(&SOMEBODY));
    let text = "(and (= subject.group \"friends\") (= resource.id \"web\"))";
    assert!(
        policy(text)
            .with_context(PolicyContext::default().with("resource.id", "web"))
            .accepts_with(&SOMEBODY, Some(&friends))
    );
    assert!(
        !policy(text)
            .with_context(PolicyContext::default().with("resource.id", "ssh"))
            .accepts_with(&SOMEBODY, Some(&friends))
    );
}

#[test]
fn what_cannot_be_read_is_told_with_its_place() {
    use PolicyFault::*;
    for (text, place) in [
        ("", (0, Empty)),
        ("   ", (3, Empty)),
        ("(= subject.a \"b\"", (0, Unclosed)),
        ("(= [1 2)", (7, Unopened)),
        ("(= 1 1))", (7, Unopened)),
        ("(= 1 \"two)", (5, Unfinished)),
        ("(= 1 (; never", (5, Unfinished)),
        ("(= \"\\q\" 1)", (4, BadEscape)),
        ("(= \"\\u{110000}\" 1)", (4, BadEscape)),
        ("(= \"\\ff\" 1)", (3, NotUtf8)),
        ("(= \"\u{202e}\" 1)", (4, Hidden)),
        ("(= 1 99999999999999999999)", (5, BadNumber)),
        ("(= 1 0x1.8p1)", (5, BadNumber)),
        ("(= 1 .5)", (5, BadName)),
        ("(= $a 1)", (3, BadName)),
        ("(= {} 1)", (3, Unexpected)),
        ("(= \"a\"b 1)", (6, Unexpected)),
        ("(member? 1 [1 2.0])", (11, Mixed)),
        ("(subject.a)x", (11, NoOperator)),
        ("(frobnicate 1)", (12, NoOperator)),
        ("true 1", (4, NoOperator)),
        ("(1)", (1, NoName)),
        ("notary", (0, Glued)),
        ("a or b and notary", (11, Glued)),
        ("a orb", (2, Glued)),
        ("a=", (2, NoValue)),
        ("a and b c", (7, NoOperator)),
    ] {
        assert_eq!(fault(text), place, "{text}");
    }
    let error = "a orb".parse::<Policy>().unwrap_err().to_string();
    assert!(error.contains("space") && error.contains("byte 2"), "{error}");
}

#[test]
fn size_and_depth_are_bounded() {
    let nested = |depth: usize| format!("{}(= 1 1){}", "(not ".repeat(depth), ")".repeat(depth));
    assert!(policy(&nested(POLICY_DEPTH_MAX - 1)).decide(&context()).is_ok());
    assert_eq!(fault(&nested(POLICY_DEPTH_MAX)).1, PolicyFault::TooDeep);
    let long = format!("(= 1 1) ;;{}", "-".repeat(POLICY_SIZE_MAX));
    assert_eq!(fault(&long), (POLICY_SIZE_MAX, PolicyFault::TooLong));
    for hostile in ["(", "[", "not ", "(;", "(not", "a or (", "\"", "- ", "a and ", "(a)and"] {
        let text = hostile.repeat(POLICY_SIZE_MAX / hostile.len());
        assert!(!text.parse::<Policy>().is_ok_and(|policy| policy.allows(&context())), "{hostile}");
    }
    // As wide as it gets.
    let wide = format!("{}a", "a or ".repeat(POLICY_SIZE_MAX / 5 - 1));
    assert_eq!(policy(&wide).decide(&context()), Err(Undecided::Unknown("subject.a".into())));
}

/// Expressions as the full form can write them.
fn expression() -> impl Strategy<Value = Expression> {
    let name = "[a-zA-Z!%&*/<=>?~_^][a-zA-Z0-9!$%&*/<=>?~_^.+:@-]{0,12}"
        .prop_filter("values", |name| !["true", "false", "inf", "nan"].contains(&name.as_str()));
    let leaf = prop_oneof![
        any::<String>().prop_map(Expression::Text),
        any::<i64>().prop_map(Expression::Integer),
        any::<f64>().prop_map(Expression::Float),
        any::<bool>().prop_map(Expression::Bool),
        name.prop_map(Expression::Name),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(any::<String>().prop_map(Expression::Text), 0..4).prop_map(Expression::Sequence),
            prop::collection::vec(inner, 0..6).prop_map(Expression::List),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_it_was(arguments in prop::collection::vec(expression(), 0..5)) {
        let written = Expression::call("and", arguments).to_string();
        let read = sexpr::read(&written).unwrap();
        prop_assert_eq!(read.to_string(), written);
    }

    #[test]
    fn a_policy_round_trips_through_its_text(arguments in prop::collection::vec(expression(), 1..4)) {
        let text = Expression::call("or", arguments).to_string();
        if let Ok(policy) = text.parse::<Policy>() {
            let again: Policy = policy.to_string().parse().unwrap();
            prop_assert_eq!(&again, &policy);
            prop_assert_eq!(format!("{again:?}"), format!("{policy:?}"));
        }
    }

    #[test]
    fn no_text_can_do_harm(text in any::<String>()) {
        if let Ok(policy) = text.parse::<Policy>() {
            let _ = policy.decide(&context());
        }
    }

    #[test]
    fn no_words_can_do_harm(words in prop::collection::vec(prop::sample::select(vec![
        "(", ")", "[", "]", "and", "or", "not", "if", "<", "=", "!=", "member?", "exists?", "subject.group", "a", " ", "=", "\"",
        "true", "1", "-1", "2.5", "nan", "\"friends\"", "0x", "_", "(;", ";)", ";;", "\n", "\\", "\\u{", "}", "é", "\u{202e}", ".",
    ]), 0..40)) {
        let text = words.concat();
        if let Err(error) = text.parse::<Policy>() {
            prop_assert!(error.at <= text.len() && text.is_char_boundary(error.at), "{error:?} in {text:?}");
        }
        if let Ok(policy) = words.join(" ").parse::<Policy>() {
            let _ = policy.decide(&context());
        }
    }
}
