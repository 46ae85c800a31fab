// SPDX-License-Identifier: Apache-2.0
// The floor of `pretrade bench fix`: a pass-through written with C++ QuickFIX. It accepts an EMS, reaches out to a venue and
// sends every application message of the one to the other, unchecked. Memory store, no log, no dictionary, no Nagle delay.
//
//     quickfix_proxy LISTEN_PORT VENUE_PORT [STORE_DIRECTORY]        with a directory: QuickFIX's file store
#include <quickfix/Application.h>
#include <quickfix/FileStore.h>
#include <quickfix/MessageStore.h>
#include <quickfix/Session.h>
#include <quickfix/SessionSettings.h>
#include <quickfix/ThreadedSocketAcceptor.h>
#include <quickfix/ThreadedSocketInitiator.h>

#include <csignal>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

namespace {

class Proxy : public FIX::Application {
public:
    void onCreate(const FIX::SessionID&) override {}
    void onLogon(const FIX::SessionID&) override {}
    void onLogout(const FIX::SessionID&) override {}
    void toAdmin(FIX::Message&, const FIX::SessionID&) override {}
    void toApp(FIX::Message&, const FIX::SessionID&) throw(FIX::DoNotSend) override {}
    void fromAdmin(const FIX::Message&, const FIX::SessionID&) throw(
        FIX::FieldNotFound, FIX::IncorrectDataFormat, FIX::IncorrectTagValue, FIX::RejectLogon) override {}
    void fromApp(const FIX::Message& message, const FIX::SessionID& from) throw(
        FIX::FieldNotFound, FIX::IncorrectDataFormat, FIX::IncorrectTagValue, FIX::UnsupportedMessageType) override {
        FIX::Message copy(message);
        FIX::Session::sendToTarget(copy, from == ems ? venue : ems);
    }

    const FIX::SessionID ems{"FIX.4.4", "PRETRADE", "EMS"};
    const FIX::SessionID venue{"FIX.4.4", "PRETRADE", "VENUE"};
};

std::string settings(const std::string& connection, const std::string& target, const std::string& ports, const std::string& store) {
    std::ostringstream out;
    out << "[DEFAULT]\nConnectionType=" << connection << "\nBeginString=FIX.4.4\nSenderCompID=PRETRADE\nUseDataDictionary=N\n"
        << "StartTime=00:00:00\nEndTime=00:00:00\nHeartBtInt=30\nReconnectInterval=1\nResetOnLogon=Y\nSocketNodelay=Y\n"
        << (store.empty() ? "" : "FileStorePath=" + store + "\n") << ports << "[SESSION]\nTargetCompID=" << target << "\n";
    return out.str();
}

std::unique_ptr<FIX::MessageStoreFactory> store_of(const FIX::SessionSettings& of, const std::string& directory) {
    if (directory.empty()) return std::unique_ptr<FIX::MessageStoreFactory>(new FIX::MemoryStoreFactory());
    return std::unique_ptr<FIX::MessageStoreFactory>(new FIX::FileStoreFactory(of));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::cerr << "quickfix_proxy LISTEN_PORT VENUE_PORT [STORE_DIRECTORY]\n";
        return 2;
    }
    const std::string directory = argc > 3 ? argv[3] : "";
    std::istringstream accept_text(settings("acceptor", "EMS", std::string("SocketAcceptPort=") + argv[1] + "\n", directory));
    std::istringstream reach_text(
        settings("initiator", "VENUE", std::string("SocketConnectHost=127.0.0.1\nSocketConnectPort=") + argv[2] + "\n", directory));
    FIX::SessionSettings accept_settings(accept_text), reach_settings(reach_text);
    auto accept_store = store_of(accept_settings, directory), reach_store = store_of(reach_settings, directory);

    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, nullptr);

    Proxy proxy;
    FIX::ThreadedSocketAcceptor acceptor(proxy, *accept_store, accept_settings);
    FIX::ThreadedSocketInitiator initiator(proxy, *reach_store, reach_settings);
    acceptor.start();
    initiator.start();
    int signal = 0;
    sigwait(&ends, &signal);
    initiator.stop(true);
    acceptor.stop(true);
    return 0;
}
