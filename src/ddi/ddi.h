/* hawkBit's two interfaces, for devices (DDI) and for people and scripts (management): tables of routes. */
#ifndef PQOTA_DDI_DDI_H
#define PQOTA_DDI_DDI_H

#include "http/route.h"

extern const struct route_table ddi_device_routes;
extern const struct route_table ddi_userinfo_routes;
extern const struct route_table ddi_types_routes;
extern const struct route_table ddi_configs_routes;
extern const struct route_table ddi_modules_routes;
extern const struct route_table ddi_artifacts_routes;
extern const struct route_table ddi_sets_routes;
extern const struct route_table ddi_targets_routes;
extern const struct route_table ddi_actions_routes;
extern const struct route_table ddi_assign_routes;

#endif
