use crate::format::TimeFormat;

use super::{Escape, Flag, LogPattern, Padding, Piece, Side};

fn plain(flag: Flag) -> Piece {
    Piece::Flag(flag, Padding::default())
}

#[test]
fn text_and_flags_stand_in_order() {
    let pattern = LogPattern::parse("%Y %l\tenvoy %g:%# 100%% %v\n").unwrap();
    assert_eq!(
        pattern.pieces,
        [
            plain(Flag::Time(TimeFormat::parse("%Y"))),
            Piece::Text(" ".into()),
            plain(Flag::Level),
            Piece::Text("\tenvoy ".into()),
            plain(Flag::File { whole: true }),
            Piece::Text(":".into()),
            plain(Flag::Line),
            Piece::Text(" 100% ".into()),
            plain(Flag::Message(Escape::None)),
            Piece::Text("\n".into()),
        ]
    );
}

#[test]
fn widths_are_read() {
    let padding = |side, width, cut| Padding { side, width, cut };
    let pattern = LogPattern::parse("%8l%-8l%=8l%3!l").unwrap();
    let expected = [
        padding(Side::Right, 8, false),
        padding(Side::Left, 8, false),
        padding(Side::Center, 8, false),
        padding(Side::Right, 3, true),
    ];
    assert_eq!(
        pattern.pieces,
        expected.map(|padding| Piece::Flag(Flag::Level, padding))
    );
}

/// What cannot be known is refused, not printed as if it were text.
#[test]
fn unknown_flags_are_named() {
    for flag in ["o", "i", "u", "O", "q"] {
        let error = LogPattern::parse(&format!("%v %{flag}")).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("flag '%{flag}' is not supported")
        );
    }
}

#[test]
fn messages_can_be_kept_on_one_line() {
    let mut pattern = LogPattern::parse("%v").unwrap();
    assert!(pattern.has_plain_message());
    pattern.escape_lines();
    assert_eq!(pattern.pieces, [plain(Flag::Message(Escape::Lines))]);
    assert!(!LogPattern::parse("%j").unwrap().has_plain_message());
}
