// SPDX-License-Identifier: Apache-2.0
// An independent FIX counterparty written with C++ QuickFIX (file store), driven by lines on stdin, telling lines on stdout.
//
//     quickfix_party acceptor|initiator PORT OUR_COMP_ID STORE_DIRECTORY
//
// say TYPE TAG=VALUE|TAG=VALUE|...    sends an application message (NOW stands for the time)
// answer on|off                       a venue that acknowledges and fills every order as it comes, or keeps quiet
// numbers                             tells the next number sent and the next expected
// stop                                logs out and ends
#include <quickfix/Application.h>
#include <quickfix/FileStore.h>
#include <quickfix/Session.h>
#include <quickfix/SessionSettings.h>
#include <quickfix/ThreadedSocketAcceptor.h>
#include <quickfix/ThreadedSocketInitiator.h>

#include <atomic>
#include <iostream>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>

namespace {

std::mutex out_lock;

void tell(const std::string& what, std::string text) {
    for (char& c : text)
        if (c == '\001') c = '|';
    std::lock_guard<std::mutex> guard(out_lock);
    std::cout << what << ' ' << text << std::endl;
}

std::string now() {
    FIX::UtcTimeStamp time;
    return FIX::UtcTimeStampConvertor::convert(time, 3);
}

class Party : public FIX::Application {
public:
    explicit Party(const FIX::SessionID& id) : id(id) {}
    void onCreate(const FIX::SessionID&) override {}
    void onLogon(const FIX::SessionID&) override { tell("logon", ""); }
    void onLogout(const FIX::SessionID&) override { tell("logout", ""); }
    void toAdmin(FIX::Message&, const FIX::SessionID&) override {}
    void toApp(FIX::Message&, const FIX::SessionID&) throw(FIX::DoNotSend) override {}
    void fromAdmin(const FIX::Message& message, const FIX::SessionID&) throw(
        FIX::FieldNotFound, FIX::IncorrectDataFormat, FIX::IncorrectTagValue, FIX::RejectLogon) override {
        tell("admin", message.toString());
    }
    void fromApp(const FIX::Message& message, const FIX::SessionID&) throw(
        FIX::FieldNotFound, FIX::IncorrectDataFormat, FIX::IncorrectTagValue, FIX::UnsupportedMessageType) override {
        tell("app", message.toString());
        if (answers && message.getHeader().getField(35) == "D") {
            report(message, "0", "0", message.getField(38), "0", false);
            report(message, "F", "2", "0", message.getField(38), true);
        }
    }

    std::atomic<bool> answers{true};
    const FIX::SessionID id;

private:
    void report(const FIX::Message& order, const std::string& type, const std::string& status, const std::string& leaves, const std::string& filled, bool trades) {
        FIX::Message m;
        m.getHeader().setField(35, "8");
        m.setField(37, "V" + order.getField(11));
        m.setField(17, "E" + std::to_string(++executions) + type);
        for (int tag : {1, 11, 54, 55}) m.setField(tag, order.getField(tag));
        m.setField(150, type);
        m.setField(39, status);
        m.setField(151, leaves);
        m.setField(14, filled);
        m.setField(6, trades ? order.getField(44) : "0");
        if (trades) {
            m.setField(31, order.getField(44));
            m.setField(32, filled);
        }
        FIX::Session::sendToTarget(m, id);
    }
    int executions = 0;
};

void say(const FIX::SessionID& id, std::istringstream& line) {
    std::string type, fields, field;
    line >> type >> fields;
    FIX::Message m;
    m.getHeader().setField(35, type);
    std::istringstream all(fields);
    while (std::getline(all, field, '|')) {
        const auto at = field.find('=');
        if (at == std::string::npos) continue;
        const std::string value = field.substr(at + 1);
        m.setField(std::stoi(field.substr(0, at)), value == "NOW" ? now() : value);
    }
    FIX::Session::sendToTarget(m, id);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 5) return 2;
    const std::string kind = argv[1], port = argv[2], name = argv[3], store = argv[4];
    std::ostringstream text;
    text << "[DEFAULT]\nConnectionType=" << kind << "\nBeginString=FIX.4.4\nSenderCompID=" << name << "\nUseDataDictionary=N\n"
         << "StartTime=00:00:00\nEndTime=00:00:00\nHeartBtInt=30\nReconnectInterval=1\nResetOnLogon=N\nFileStorePath=" << store << "\n"
         << (kind == "acceptor" ? "SocketAcceptPort=" + port : "SocketConnectHost=127.0.0.1\nSocketConnectPort=" + port)
         << "\n[SESSION]\nTargetCompID=PRETRADE\n";
    std::istringstream in(text.str());
    FIX::SessionSettings settings(in);
    FIX::FileStoreFactory stores(settings);
    const FIX::SessionID id("FIX.4.4", name, "PRETRADE");
    Party party(id);
    tell("ready", "");
    std::unique_ptr<FIX::Acceptor> acceptor;
    std::unique_ptr<FIX::Initiator> initiator;
    if (kind == "acceptor") {
        acceptor.reset(new FIX::ThreadedSocketAcceptor(party, stores, settings));
        acceptor->start();
    } else {
        initiator.reset(new FIX::ThreadedSocketInitiator(party, stores, settings));
        initiator->start();
    }
    std::string all, verb, word;
    while (std::getline(std::cin, all)) {
        std::istringstream line(all);
        line >> verb;
        if (verb == "stop") break;
        if (verb == "say") say(id, line);
        if (verb == "answer") {
            line >> word;
            party.answers = word == "on";
            tell("answers", word);
        }
        if (verb == "numbers") {
            FIX::Session* session = FIX::Session::lookupSession(id);
            tell("numbers", std::to_string(session->getExpectedSenderNum()) + " " + std::to_string(session->getExpectedTargetNum()));
        }
    }
    if (initiator) initiator->stop();
    if (acceptor) acceptor->stop();
    return 0;
}
