// SPDX-License-Identifier: Apache-2.0
use super::*;

const XML: &str = "<fix><header><field name='BeginString' required='Y'/><field name='BodyLength' required='Y'/><field name='MsgType' required='Y'/>\
<field name='SenderCompID' required='Y'/><field name='TargetCompID' required='Y'/><field name='MsgSeqNum' required='Y'/>\
<field name='SendingTime' required='Y'/></header><trailer><field name='CheckSum' required='Y'/></trailer>\
<messages><message msgtype='D'><field name='ClOrdID' required='Y'/><component name='What' required='Y'/><field name='OrderQty' required='N'/>\
<group name='NoParties' required='N'><field name='PartyID' required='N'/><field name='PartyRole' required='N'/></group></message></messages>\
<components><component name='What'><field name='Symbol' required='Y'/><field name='Side' required='N'/></component></components>\
<fields><field number='8' name='BeginString' type='STRING'/><field number='9' name='BodyLength' type='LENGTH'/>\
<field number='10' name='CheckSum' type='STRING'/><field number='35' name='MsgType' type='STRING'/><field number='34' name='MsgSeqNum' type='SEQNUM'/>\
<field number='49' name='SenderCompID' type='STRING'/><field number='56' name='TargetCompID' type='STRING'/>\
<field number='52' name='SendingTime' type='UTCTIMESTAMP'/><field number='11' name='ClOrdID' type='STRING'/>\
<field number='55' name='Symbol' type='STRING'/><field number='54' name='Side' type='CHAR'><value enum='1'/><value enum='2'/></field>\
<field number='38' name='OrderQty' type='QTY'/><field number='453' name='NoParties' type='NUMINGROUP'/><field number='448' name='PartyID' type='STRING'/>\
<field number='452' name='PartyRole' type='INT'/><field number='58' name='Text' type='STRING'/></fields></fix>";

fn verdict(body: &str) -> Result<(), (Reason, String)> {
    let path = std::env::temp_dir().join(format!("pretrade-fix-dictionary-{}-{:?}.xml", std::process::id(), std::thread::current().id()));
    std::fs::write(&path, XML).unwrap();
    let dictionary = Dictionary::load(std::slice::from_ref(&path)).unwrap();
    std::fs::remove_file(path).unwrap();
    let text = format!("8=FIX.4.4|9=0|35=D|34=2|49=A|52=20261124-14:30:00|56=B|{body}10=000|").replace('|', "\u{1}");
    let header = Header::read(text.as_bytes()).unwrap();
    let tolerance = Tolerance { user_fields: false, ignored: vec![8011] };
    check(&dictionary, &tolerance, text.as_bytes(), &header).map_err(|r| (r.reason, String::from_utf8(r.tag).unwrap()))
}

fn no(reason: Reason, tag: &str) -> Result<(), (Reason, String)> {
    Err((reason, tag.to_owned()))
}

#[test]
fn a_message_as_the_dictionary_says_passes() {
    assert_eq!(verdict("11=a|55=ES|54=1|38=10.5|453=2|448=x|452=1|448=y|8011=RiskAlert_Normal|"), Ok(()));
    assert_eq!(verdict("11=a|55=ES|453=0|"), Ok(()));
}

#[test]
fn each_rule_has_its_refusal() {
    assert_eq!(verdict("55=ES|"), no(Reason::RequiredTagMissing, "11"));
    assert_eq!(verdict("11=a|"), no(Reason::RequiredTagMissing, "55"), "required in a required component");
    assert_eq!(verdict("11=a|55=ES|58=x|"), no(Reason::TagNotDefined, "58"));
    assert_eq!(verdict("11=a|55=ES|999=x|"), no(Reason::InvalidTag, "999"));
    assert_eq!(verdict("11=a|55=ES|5001=x|"), no(Reason::InvalidTag, "5001"));
    assert_eq!(verdict("11=|55=ES|"), no(Reason::EmptyValue, "11"));
    assert_eq!(verdict("11=a|55=ES|54=3|"), no(Reason::ValueOutOfRange, "54"));
    assert_eq!(verdict("11=a|55=ES|38=+1|"), no(Reason::IncorrectFormat, "38"));
    assert_eq!(verdict("11=a|55=ES|38=1|38=2|"), no(Reason::RepeatedTag, "38"));
    assert_eq!(verdict("11=a|55=ES|49=A|"), no(Reason::OutOfOrder, "49"));
}

#[test]
fn a_group_has_as_many_entries_as_it_says() {
    assert_eq!(verdict("11=a|55=ES|453=3|448=x|448=y|"), no(Reason::GroupCount, "453"));
    assert_eq!(verdict("11=a|55=ES|453=1|452=1|448=x|"), no(Reason::GroupCount, "453"), "an entry begins with its first field");
    assert_eq!(verdict("11=a|55=ES|453=1|448=x|452=1|452=2|"), no(Reason::RepeatedTag, "452"));
}
